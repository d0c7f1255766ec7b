"""Quantiles of a sample: the estimate, its interval, and how large a sample gives one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.statistics.quantiles import check_confidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Sample = Sequence[float] | NDArray[np.float64]

_WHOLE = 9  # digits to which n·q may be a whole number: 100 · 0.07 is not quite 7


def quantile(sample: Sample, q: float) -> float:
    """The smallest value of a sample that at least a share ``q`` of it does not exceed.

    Args:
        sample: One or more numbers, which may be infinite.
        q: The share, in (0, 1).

    Raises:
        ValueError: If the sample is empty or has a NaN, or the share is impossible.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    ordered = _ordered(sample, q)
    return float(ordered[math.ceil(round(ordered.size * q, _WHOLE)) - 1])


def quantile_interval(sample: Sample, q: float, confidence: float = 0.90) -> Interval:
    """Interval for the quantile of the distribution that a sample was drawn from, whatever distribution that is.

    Its ends are values of the sample. Each is missed with a chance of at most (1 − confidence) / 2, so that each is
    also the end of a one-sided interval of confidence (1 + confidence) / 2.

    Args:
        sample: Independent draws, at least one; they may be infinite.
        q: The share below the quantile, in (0, 1).
        confidence: Two-sided coverage, in (0, 1), kept exactly or exceeded.

    Returns:
        An end is infinite where the sample is too small to have one, see `smallest_sample_for`.

    Raises:
        ValueError: If the sample is empty or has a NaN, or a share is impossible.

    Source:
        W. J. Conover, Practical Nonparametric Statistics (1999), section 3.2; G. J. Hahn, W. Q. Meeker, Statistical
        Intervals (1991), section 5.2: the number of draws below the quantile is binomial.

    >>> quantile_interval(range(1, 101), 0.5)
    Interval(low=42.0, high=59.0)
    """
    ordered = _ordered(sample, q)
    check_confidence(confidence)
    tail, below = (1 - confidence) / 2, special.bdtr(np.arange(ordered.size + 1), ordered.size, q)
    low, high = int(np.searchsorted(below, tail, side="right")), int(np.searchsorted(below, 1 - tail))
    return Interval(
        float(ordered[low - 1]) if low > 0 else -math.inf,
        float(ordered[high]) if high < ordered.size else math.inf,
    )


def smallest_sample_for(q: float, confidence: float = 0.90, *, above: int = 0) -> int | None:
    """How many draws give `quantile_interval` an upper end, with so many of them ``above`` it.

    Args:
        q: The share below the quantile, in (0, 1).
        confidence: Two-sided coverage, in (0, 1).
        above: Draws that are larger than the upper end, such as infinite ones, 0 or more.

    Returns:
        None if it would be more than ten million.

    Raises:
        ValueError: If a share is impossible.

    Source:
        S. S. Wilks, Ann. Math. Stat. 12 (1941) 91.

    >>> smallest_sample_for(0.95, 0.90)
    59
    """
    _check_share(q)
    check_confidence(confidence)
    enough = (1 + confidence) / 2
    return smallest_sufficient(lambda count: count > above and special.bdtr(count - 1 - above, count, q) >= enough)


def sample_to_decide(share: float, q: float, confidence: float = 0.90, *, start: int = 1) -> int | None:
    """How many draws put `quantile_interval` on one side of a bound that a share of them does not exceed.

    Args:
        share: Share of the draws at or below the bound, in [0, 1].
        q: The share below the quantile, in (0, 1).
        confidence: Two-sided coverage, in (0, 1).
        start: The least number that is asked about.

    Returns:
        None if it would be more than ten million, as when the bound is the quantile.

    Raises:
        ValueError: If q or the confidence is impossible.

    >>> sample_to_decide(1.0, 0.95) == smallest_sample_for(0.95)
    True
    """
    _check_share(q)
    check_confidence(confidence)
    tail = (1 - confidence) / 2

    def decides(count: int) -> bool:
        below = math.floor(round(share * count, _WHOLE))
        return bool(special.bdtr(below - 1, count, q) >= 1 - tail or special.bdtr(below, count, q) <= tail)

    return smallest_sufficient(decides, start)


def _ordered(sample: Sample, q: float) -> NDArray[np.float64]:
    _check_share(q)
    ordered = np.sort(np.asarray(sample, dtype=float))
    if not ordered.size:
        raise ValueError("an empty sample has no quantile; expected at least one value")
    if np.isnan(ordered[-1]):
        raise ValueError("the sample has a NaN; expected numbers, infinite ones included")
    return ordered


def _check_share(q: float) -> None:
    if not 0 < q < 1:
        msg = f"q={q!r}; expected a share between 0 and 1, for example 0.95"
        raise ValueError(msg)
