"""A rate over time: work spread over the time it took, and the mean rate with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.intervals import Interval, t_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BatchMeans:
    """Rates of windows of equal length, taken as independent draws around the mean rate."""

    mean: float
    """Work over the whole time, which is the mean of the windows' rates."""
    standard_error: float
    windows: int

    def interval(self, confidence: float = 0.90, windows: float | None = None) -> Interval:
        """Student's interval, not below 0; with ``windows`` the one that as many such windows would give.

        Source:
            A. M. Law, W. D. Kelton, Simulation Modeling and Analysis (2000), section 9.5.3: batch means.
        """
        count = self.windows if windows is None else windows
        error = self.standard_error * (self.windows / count) ** 0.5
        own = t_interval(self.mean, error, count - 1, confidence)
        return Interval(max(0.0, own.low), own.high)


def batch_means(starts: Sequence[float], seconds: Sequence[float], work: Sequence[float], windows: int) -> BatchMeans:
    """The rate at which work was done, from the first start to the last end.

    Each piece of work is spread evenly over the time that it took. Windows have to be longer than most pieces take:
    neighbours that share a piece are alike, and their spread is then too small.

    Args:
        starts: When each piece began, in seconds from any moment ``[pieces]``.
        seconds: How long it took, 0 or more ``[pieces]``.
        work: How much it was ``[pieces]``.
        windows: Equal windows into which the time is cut, at least 2.

    Raises:
        ValueError: If there are fewer than 2 windows, or no time passed.

    >>> batch_means([0.0, 1.0, 2.0, 3.0], [1.0] * 4, [5.0, 7.0, 5.0, 7.0], windows=4).mean
    6.0
    """
    begins, lasts = np.asarray(starts, dtype=float), np.asarray(seconds, dtype=float)
    start, end = (begins.min(), (begins + lasts).max()) if begins.size else (0.0, 0.0)
    if windows < 2 or not end > start:  # noqa: PLR2004 - one window has no spread
        msg = f"windows={windows!r} over {end - start:g} s; expected at least 2, and some time"
        raise ValueError(msg)
    rates = _rates(begins, lasts, np.asarray(work, dtype=float), np.linspace(start, end, windows + 1))
    return BatchMeans(float(rates.mean()), float(rates.std(ddof=1) / windows**0.5), windows)


def _rates(begins: Floats, lasts: Floats, work: Floats, edges: Floats) -> Floats:
    """Work a second in each window ``[windows]``."""
    done = np.array([work @ _share_done(begins, lasts, edge) for edge in edges[1:-1]])
    whole = np.concatenate([[0.0], done, [work.sum()]])
    return np.diff(whole) / np.diff(edges)


def _share_done(begins: Floats, lasts: Floats, moment: float) -> Floats:
    """How much of each piece is done at a moment, in [0, 1]."""
    passed = moment - begins
    # What took no time is done when it begins.
    return np.where(lasts > 0, np.clip(passed / np.where(lasts > 0, lasts, 1.0), 0.0, 1.0), passed >= 0)
