"""Proper scores of probabilities, which no model improves by saying what it does not believe: Brier and log loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.calibration.bins import BINS, bins_of, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.calibration.bins import Binning

    Floats = NDArray[np.float64]

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class BrierParts:
    """A Brier score taken apart: reliability − resolution + uncertainty + within."""

    reliability: float
    """What miscalibration costs, 0 at best."""
    resolution: float
    """What telling sure cases from unsure ones earns."""
    uncertainty: float
    """What the task costs whoever only knows the average."""
    within: float
    """What is lost by looking at bins; 0 when all cases of a bin have one probability."""

    @property
    def score(self) -> float:
        """The Brier score."""
        return self.reliability - self.resolution + self.uncertainty + self.within


def brier_binary(probabilities: Sequence[float], outcomes: Sequence[bool | float]) -> float:
    """Mean of (p − y)² for one event a case, in [0, 1]; half of `brier_multiclass` for two classes.

    Raises:
        ValueError: If there is no case, or what is given are no probabilities and outcomes.

    Source:
        The form of scikit-learn's `brier_score_loss`.

    >>> brier_binary([0.8, 0.4], [1, 0])
    0.1
    """
    given, happened = checked(probabilities, outcomes)
    return float(np.mean((given - happened) ** 2))


def brier_multiclass(probabilities: Sequence[Sequence[float]], answers: Sequence[int]) -> float:
    """Mean of Σ (p − y)² over all classes, in [0, 2].

    Args:
        probabilities: One row of class probabilities a case ``[cases, classes]``.
        answers: Index of the right class of each case.

    Raises:
        ValueError: If there is no case, a row is no distribution or an index no class.

    Source:
        G. W. Brier, Mon. Weather Rev. 78 (1950) 1; the form of lm-eval's `brier_score`.
    """
    given, happened = _checked_rows(probabilities, answers)
    return float(np.mean(((given - happened) ** 2).sum(axis=1)))


def negative_log_likelihood(probabilities: Sequence[Sequence[float]], answers: Sequence[int]) -> float:
    """Mean of −ln p of the right class, in nats; infinite when one was thought impossible. As `brier_multiclass`."""
    given, happened = _checked_rows(probabilities, answers)
    with np.errstate(divide="ignore"):
        return float(np.mean(-np.log(given[happened.astype(bool)])))


def brier_decomposition(
    probabilities: Sequence[float], outcomes: Sequence[bool | float], *, bins: int = BINS, binning: Binning = "width"
) -> BrierParts:
    """The parts of `brier_binary`; of `brier_multiclass` they are the sums over its classes, each as one event.

    Raises:
        ValueError: As for `brier_binary`.

    Source:
        A. H. Murphy, J. Appl. Meteorol. 12 (1973) 595; the part within bins as in D. B. Stephenson et al., Weather
        Forecast. 23 (2008) 752.
    """
    found = bins_of(probabilities, outcomes, bins=bins, binning=binning)
    cases = sum(each.cases for each in found)
    rate = sum(each.cases * each.accuracy for each in found) / cases
    reliability = sum(each.cases * each.gap**2 for each in found) / cases
    resolution = sum(each.cases * (each.accuracy - rate) ** 2 for each in found) / cases
    uncertainty = rate * (1 - rate)
    within = brier_binary(probabilities, outcomes) - (reliability - resolution + uncertainty)
    return BrierParts(reliability, resolution, uncertainty, within)


def _checked_rows(probabilities: Sequence[Sequence[float]], answers: Sequence[int]) -> tuple[Floats, Floats]:
    """Probabilities and one-hot outcomes, both ``[cases, classes]``."""
    given, right = np.asarray(probabilities, dtype=float), np.asarray(answers)
    if given.ndim != 2 or not given.size or right.shape != given.shape[:1]:  # noqa: PLR2004 - rows and columns
        msg = f"probabilities of shape {given.shape} and {right.size} answers; expected [cases, classes] and one a case"
        raise ValueError(msg)
    if not ((given >= 0).all() and (np.abs(given.sum(axis=1) - 1) < _ROUNDING).all()):
        msg = f"row {_first_bad(given)} of the probabilities; expected numbers of 0 or more that add up to 1"
        raise ValueError(msg)
    if not np.isin(right, np.arange(given.shape[1])).all():
        msg = f"answers={right.tolist()!r:.60}; expected indices from 0 to {given.shape[1] - 1}"
        raise ValueError(msg)
    return given, np.eye(given.shape[1])[right.astype(int)]


def _first_bad(given: Floats) -> str:
    bad = ~((given >= 0).all(axis=1) & (np.abs(given.sum(axis=1) - 1) < _ROUNDING))
    place = int(np.argmax(bad))
    return f"{place}, {given[place].tolist()!r:.60},"
