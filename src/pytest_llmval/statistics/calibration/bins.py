"""Bins of confidence: cases that were equally sure, and how many of them were right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

Binning = Literal["width", "mass"]
BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of similar confidence; none is empty."""

    low: float
    """Lower edge for bins of equal width, the least confidence for bins of equal mass."""
    high: float
    """Upper edge, or the largest confidence."""
    cases: int
    confidence: float
    """Mean confidence of the cases."""
    accuracy: float
    """Share of them that is right."""

    @property
    def gap(self) -> float:
        """Confidence − accuracy: above 0 is too sure."""
        return self.confidence - self.accuracy


def bins_of(
    confidences: Sequence[float], correct: Sequence[bool | float], *, bins: int = BINS, binning: Binning = "width"
) -> tuple[Bin, ...]:
    """The bins that hold a case, by rising confidence.

    Args:
        confidences: Probability the model gave its answer, in [0, 1].
        correct: Whether the answer was right, 1 or 0.
        bins: Most bins.
        binning: `width` for bins j/B to (j+1)/B, of which the last holds 1 too; `mass` for about as many cases in
            each, cases of equal confidence never parted.

    Raises:
        ValueError: If there is no case, columns differ in length or hold what is no probability and no 0 or 1.
    """
    sure, right = checked(confidences, correct)
    places = places_of(sure, bins=bins, binning=binning)
    found = [(place, places == place) for place in np.unique(places).tolist()]
    edges = {place: (place / bins, (place + 1) / bins) for place, _ in found} if binning == "width" else {}
    return tuple(_bin(sure[members], right[members], edges.get(place)) for place, members in found)


def checked(confidences: Sequence[float], correct: Sequence[bool | float]) -> tuple[Floats, Floats]:
    """Both columns as numbers ``[cases]``.

    Raises:
        ValueError: If they are no probabilities and outcomes of the same cases.
    """
    sure, right = np.asarray(confidences, dtype=float), np.asarray(correct, dtype=float)
    if sure.ndim != 1 or sure.shape != right.shape or not sure.size:
        msg = f"{sure.size} confidences, {right.size} outcomes; expected one outcome a confidence, and at least one"
        raise ValueError(msg)
    if not ((sure >= 0) & (sure <= 1)).all():
        msg = f"confidence {sure[~((sure >= 0) & (sure <= 1))][0]!r}; expected probabilities in [0, 1]"
        raise ValueError(msg)
    if not np.isin(right, (0.0, 1.0)).all():
        msg = f"outcome {right[~np.isin(right, (0.0, 1.0))][0]!r}; expected 1 for a right answer and 0 for a wrong one"
        raise ValueError(msg)
    return sure, right


def places_of(sure: Floats, *, bins: int = BINS, binning: Binning = "width") -> Places:
    """Number of the bin of each case ``[cases]``, in the order of confidence.

    Equal width is min(⌊c·B⌋, B − 1): every case has a bin, also at 0 and at 1, where other tools drop cases or
    open a bin of their own.

    Raises:
        ValueError: If the number or the kind of bins is impossible.
    """
    if bins < 1 or binning not in get_args(Binning):
        msg = f"bins={bins!r}, binning={binning!r}; expected at least 1 bin, of equal 'width' or 'mass'"
        raise ValueError(msg)
    if binning == "width":
        return np.minimum(np.floor(sure * bins), bins - 1).astype(np.int64)
    return _equal_mass(sure, bins)


def _equal_mass(sure: Floats, bins: int) -> Places:
    order = np.argsort(sure, kind="stable")
    ranked = sure[order]
    # The first case of each bin, moved on to the next larger confidence where it would part equal ones.
    wanted = [part[0] for part in np.array_split(np.arange(sure.size), bins) if part.size]
    firsts = {int(np.searchsorted(ranked, ranked[at], side="left")) for at in wanted}
    ranks = np.searchsorted(sorted(firsts), np.arange(sure.size), side="right") - 1
    places = np.empty(sure.size, dtype=np.int64)
    places[order] = ranks
    return places


def _bin(sure: Floats, right: Floats, edges: tuple[float, float] | None) -> Bin:
    low, high = edges or (float(sure.min()), float(sure.max()))
    return Bin(low, high, sure.size, float(sure.mean()), float(right.mean()))
