"""Summaries of one number a position: mean with its standard error, and quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats

FRACTIONS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Quantiles that are kept: those of llama-perplexity."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One number at each position: where it lies and how it spreads."""

    count: int
    mean: float
    error: float
    """Standard error of the mean, positions taken as independent; infinite when the mean is."""
    quantiles: tuple[float, ...]
    """At `FRACTIONS`."""

    def quantile(self, fraction: float) -> float:
        """The quantile at one of `FRACTIONS`.

        Raises:
            ValueError: If it was not kept.
        """
        if fraction not in FRACTIONS:
            msg = f"quantile {fraction!r}; expected one of {', '.join(map(str, FRACTIONS))}"
            raise ValueError(msg)
        return self.quantiles[FRACTIONS.index(fraction)]

    @property
    def minimum(self) -> float:
        """The smallest."""
        return self.quantiles[0]

    @property
    def median(self) -> float:
        """The middle, or the mean of the two middle ones."""
        return self.quantile(0.5)

    @property
    def maximum(self) -> float:
        """The largest."""
        return self.quantiles[-1]


def summary_of(values: Floats) -> Summary:
    """The summary of at least one number; infinite ones are kept."""
    ordered = np.sort(values)
    return Summary(
        count=len(values),
        mean=float(values.mean()),
        error=standard_error(values),
        quantiles=tuple(_quantile(ordered, fraction) for fraction in FRACTIONS),
    )


def standard_error(values: Floats) -> float:
    """Standard error of the mean: the root of (⟨x²⟩ − ⟨x⟩²) / (n − 1)."""
    if not np.isfinite(values).all():
        return math.inf
    return float(values.std() / math.sqrt(len(values) - 1)) if len(values) > 1 else math.inf


def _quantile(ordered: Floats, fraction: float) -> float:
    """Linear between the two nearest, as llama-perplexity and NumPy's default; of infinite ones the upper."""
    place = fraction * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    weight = place - low
    if weight == 0 or ordered[low] == ordered[high]:
        return float(ordered[low])
    return float((1 - weight) * ordered[low] + weight * ordered[high])
