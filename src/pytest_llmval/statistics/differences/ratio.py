"""A mean in which cases weigh differently, such as the loss of a corpus: Σ weight·value / Σ weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_sums
from pytest_llmval.statistics.mean import MeanWithError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.intervals import Interval

_FEWEST_FOR_SPREAD = 2


def weighted_interval(
    values: Sequence[float],
    weights: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.90,
) -> Interval:
    """Interval for Σ weight·value / Σ weight; the arguments are those of `weighted_mean`.

    >>> interval = weighted_interval([0.0, 0.1, 0.2], [100, 100, 800])
    >>> interval.low < 0.0 < 0.2 < interval.high
    True
    """
    return weighted_mean(values, weights, clusters).interval(confidence)


def weighted_mean(
    values: Sequence[float], weights: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> MeanWithError:
    """The ratio Σ weight·value / Σ weight with the standard error that its units show.

    With equal weights all of it is Student's, or CR1 for clusters. With unequal weights the usual linearised error is
    too small, since a heavy unit pulls the mean towards itself: deleting each unit in turn (the jackknife, CR3) shows
    what the mean rests on, and the degrees of freedom fall with the number of units that matter. With lengths spread
    as widely as those of web pages a 90 % interval then misses in 5 %, rather too rarely.

    Args:
        values: One a case, for example ΔNLL a token of each document.
        weights: What each counts, 0 or more, for example its tokens.
        clusters: Cluster of each case; None when each is independent.

    Raises:
        ValueError: If columns differ in length, a weight is negative or not finite, or fewer than two units weigh
            anything.

    Source:
        Jackknife: B. Efron, C. Stein, Ann. Stat. 9 (1981) 586. Degrees: R. M. Bell, D. F. McCaffrey, Survey
        Methodology 28 (2002) 169, for values of equal variance: units − 1 for equal weights, near 1 when one unit
        outweighs all.
    """
    shares, means = _units(values, weights, clusters)
    if shares.size < _FEWEST_FOR_SPREAD:
        msg = f"{shares.size} unit that weighs anything; the spread between units needs at least 2"
        raise ValueError(msg)
    value = float(shares @ means)
    pulls = shares / (1 - shares)  # value − (value without the unit) = pull · (mean of the unit − value)
    moves = pulls * (means - value)
    error = math.sqrt(float(moves @ moves) * (shares.size - 1) / shares.size)
    return MeanWithError(value, error, _degrees(shares, pulls))


def _units(
    values: Sequence[float], weights: Sequence[float], clusters: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the weight and weighted mean of each unit ``[units]``, of those that weigh anything."""
    column, heavy = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if column.shape != heavy.shape or not (np.isfinite(heavy).all() and (heavy >= 0).all()):
        msg = f"{column.size} values, {heavy.size} weights; expected one weight a value, finite and 0 or more"
        raise ValueError(msg)
    names = range(column.size) if clusters is None else clusters
    totals, sums = cluster_sums(heavy, names), cluster_sums(heavy * column, names)
    weighing = totals > 0
    return totals[weighing] / totals.sum(), sums[weighing] / totals[weighing]


def _degrees(shares: NDArray[np.float64], pulls: NDArray[np.float64]) -> float:
    """(tr B)² / tr B² with B = (I − 1hᵀ)ᵀ D (I − 1hᵀ), h the shares and D the squared pulls, without forming B."""
    squares, concentration = pulls**2, float(shares @ shares)
    t0, t1, t2 = (float((squares * shares**power).sum()) for power in range(3))
    trace = float((squares * (1 - 2 * shares + concentration)).sum())
    products = concentration**2 * t0**2 + 2 * t2 * t0 + 2 * t1**2 - 4 * concentration * t1 * t0
    diagonal = (1 - 2 * shares + concentration) ** 2 - (concentration - 2 * shares) ** 2
    return trace**2 / (products + float((squares**2 * diagonal).sum()))
