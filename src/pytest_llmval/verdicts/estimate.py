"""Estimate: one number read off the cases, with an interval for these and for more such cases."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_sums, clustered_mean
from pytest_llmval.statistics.differences.paired import tango_interval
from pytest_llmval.statistics.differences.ratio import weighted_mean
from pytest_llmval.statistics.differences.suite import suite_mean
from pytest_llmval.statistics.intervals import (
    Interval,
    rare_change_interval,
    skewed_interval,
    t_interval,
    wilson_interval,
)
from pytest_llmval.statistics.mean import MeanWithError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_CLUSTERS = 5
"""Fewer independent groups than this give no interval worth reading."""
FEWEST_VARYING = 10
"""With fewer cases that differ from the most common value, a t interval passes what is worse by the margin up to
four times as often as it says (n = 60, one case in twenty broken: 19 % instead of 5 %)."""

_NOTHING = 1e-100  # squares of less vanish
_SAME = 1e-9  # of the limits' width: 0.9 - 0.8 and 0.3 - 0.2 are the same change


class Estimate(Protocol):
    """A number with its uncertainty; larger is better."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def method(self) -> str:
        """Name of the interval."""

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Two-sided interval; with ``cases`` the one that as many cases of the same kind would give."""


@dataclass(frozen=True, slots=True)
class ChangedPairs:
    """Change of a pass rate, from the cases that changed sides."""

    gained: int
    lost: int
    pairs: int
    method: str = "tango"

    @property
    def value(self) -> float:
        """Candidate rate − baseline rate."""
        return (self.gained - self.lost) / self.pairs

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Tango's interval."""
        factor = 1.0 if cases is None else cases / self.pairs
        return tango_interval(self.gained * factor, self.lost * factor, self.pairs * factor, confidence)


@dataclass(frozen=True, slots=True)
class PassRate:
    """Share of cases that pass."""

    passes: int
    cases: int
    method: str = "wilson"

    @property
    def value(self) -> float:
        """The rate."""
        return self.passes / self.cases

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Wilson's interval."""
        count = self.cases if cases is None else cases
        return wilson_interval(self.value * count, count, confidence)


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of values that vary between independent units, which are cases or clusters of cases."""

    value: float
    cases: int
    units: float
    """As many as they are worth: fewer than there are when a few of them outweigh the others."""
    variance: float
    """Of a unit around the mean, with divisor ``units``."""
    varying: int
    """Units that differ from the most common value."""
    fewest_varying: int
    limits: Interval
    name: str = "t"
    skewness: float = 0.0
    """Of the units around the mean."""

    @property
    def method(self) -> str:
        """`score` when so few units vary that Student's interval would not be honest."""
        return f"{self.name}+score" if self._is_sparse(1.0) else self.name

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Student's interval, widened to the score bound while few units vary."""
        factor = 1.0 if cases is None else cases / self.cases
        units = self.units * factor
        student = self._student(units, confidence)
        if student is not None and not self._is_sparse(factor):
            return student
        score = rare_change_interval(self.value, self.variance, units, self.limits, confidence)
        return score if student is None else score.hull(student)

    def _student(self, units: float, confidence: float) -> Interval | None:
        if units <= 1:
            return None
        error = math.sqrt(self.variance / (units - 1))
        return skewed_interval(self.value, error, units - 1, self.skewness, confidence)

    def _is_sparse(self, factor: float) -> bool:
        return self.varying * factor < self.fewest_varying


@dataclass(frozen=True, slots=True)
class LeastFavourable:
    """The worse of several readings of the same cases, at every point."""

    readings: tuple[Estimate, ...]

    @property
    def value(self) -> float:
        """The least value."""
        return min(each.value for each in self.readings)

    @property
    def method(self) -> str:
        """The method of the first reading."""
        return self.readings[0].method

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """The least lower and the least upper end."""
        intervals = [each.interval(confidence, cases) for each in self.readings]
        return Interval(min(each.low for each in intervals), min(each.high for each in intervals))


@dataclass(frozen=True, slots=True)
class Shifted:
    """Another estimate moved by a constant, after its sign was turned if it is mirrored."""

    estimate: Estimate
    shift: float
    mirrored: bool = False

    @property
    def value(self) -> float:
        """± the value + the shift."""
        return (-self.estimate.value if self.mirrored else self.estimate.value) + self.shift

    @property
    def method(self) -> str:
        """That of the estimate."""
        return self.estimate.method

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """The interval, turned and moved likewise."""
        own = self.estimate.interval(confidence, cases)
        low, high = (-own.high, -own.low) if self.mirrored else (own.low, own.high)
        return Interval(low + self.shift, high + self.shift)


@dataclass(frozen=True, slots=True)
class SuiteMean:
    """Mean over exactly these cases; nothing but their trials varies."""

    mean: MeanWithError
    trials: float
    """Trials of a case and side."""
    cases: int
    disagreeing: int
    """Cases whose trials differ among themselves, on either side."""
    limits: Interval

    @property
    def value(self) -> float:
        """The mean."""
        return self.mean.value

    @property
    def method(self) -> str:
        """`score` when so few cases' trials differ that their spread alone would not be honest."""
        return "suite_t+score" if self._is_sparse else "suite_t"

    @property
    def _is_sparse(self) -> bool:
        return self.disagreeing < FEWEST_VARYING

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Student's interval of the mean; here ``cases`` is a number of trials of each case."""
        factor = 1.0 if cases is None else cases / self.trials
        error = self.mean.standard_error / math.sqrt(factor)
        student = t_interval(self.value, error, self.mean.degrees * factor, confidence)
        if not self._is_sparse:
            return student
        asked = self.cases * self.trials * factor
        # As many trials as were asked agreed: each of them could have shown that they do not.
        score = rare_change_interval(self.value, error**2 * asked, asked, self.limits, confidence)
        return score.hull(student)


def suite_mean_of(plus: Sequence[Sequence[float]], minus: Sequence[Sequence[float]], limits: Interval) -> SuiteMean:
    """Mean of plus − minus over exactly these cases, from the values of each trial, at least two a case and side."""
    mean = suite_mean(plus, minus)
    disagreeing = sum(len(set(up)) > 1 or len(set(down)) > 1 for up, down in zip(plus, minus, strict=True))
    trials = sum(min(len(up), len(down)) for up, down in zip(plus, minus, strict=True)) / len(plus)
    return SuiteMean(mean, trials, len(plus), disagreeing, limits)


def mean_of(values: Sequence[float], limits: Interval, changes: Sequence[float] | None = None) -> Mean:
    """Mean of independent cases within ``limits``.

    ``changes`` tell how many cases vary where the values vary whether or not anything changed.
    """
    column = np.asarray(values, dtype=float)
    return Mean(
        value=_mean_within(column, limits),
        cases=column.size,
        units=column.size,
        variance=float(column.var()),
        varying=_varying(values if changes is None else changes, limits),
        fewest_varying=FEWEST_VARYING,
        limits=limits,
        skewness=_skewness(column - column.mean()),
    )


def clustered_mean_of(
    values: Sequence[float], clusters: Sequence[str], limits: Interval, changes: Sequence[float] | None = None
) -> Mean:
    """Mean of cases within ``limits`` that are independent between clusters only; needs two clusters.

    ``changes`` are those of `mean_of`.
    """
    column, sizes = np.asarray(values, dtype=float), cluster_sums([1.0] * len(values), clusters)
    moved = cluster_sums(values if changes is None else changes, clusters) / sizes
    count = sizes.size
    return Mean(
        value=_mean_within(column, limits),
        cases=len(values),
        units=count,
        # √(variance / (count − 1)) is then the CR1 standard error.
        variance=clustered_mean(values, clusters).standard_error ** 2 * (count - 1),
        varying=_varying(moved.tolist(), limits),
        fewest_varying=FEWEST_CLUSTERS,
        limits=limits,
        name="cluster_t",
        skewness=_skewness(cluster_sums((column - column.mean()).tolist(), clusters)),
    )


def weighted_mean_of(
    values: Sequence[float], weights: Sequence[float], clusters: Sequence[str] | None, limits: Interval
) -> Mean:
    """Weighted mean of cases within ``limits``, independent each or between clusters; some weight is not 0."""
    units = clusters or [str(place) for place in range(len(values))]
    totals = cluster_sums(weights, units)
    sums = cluster_sums([value * weight for value, weight in zip(values, weights, strict=True)], units)
    means = (sums[totals > 0] / totals[totals > 0]).tolist()
    found = weighted_mean(values, weights, units) if len(means) > 1 else MeanWithError(means[0], 0.0, 0.0)
    return Mean(
        value=min(max(found.value, limits.low), limits.high),
        cases=len(values),
        units=found.degrees + 1,
        # √(variance / (units − 1)) is then the standard error.
        variance=found.standard_error**2 * found.degrees,
        varying=_varying(means, limits),
        fewest_varying=FEWEST_CLUSTERS if clusters else FEWEST_VARYING,
        limits=limits,
        name="weighted_cluster_t" if clusters else "weighted_t",
        skewness=_skewness(sums - found.value * totals),
    )


def _skewness(deviations: NDArray[np.float64]) -> float:
    """Third moment over the second to 3/2 of deviations from a mean; 0 where nothing varies."""
    square = float(np.mean(deviations**2))
    return float(np.mean(deviations**3)) / square**1.5 if square > _NOTHING else 0.0


def _mean_within(column: NDArray[np.float64], limits: Interval) -> float:
    return min(max(float(column.mean()), limits.low), limits.high)


def _varying(values: Sequence[float], limits: Interval) -> int:
    resolution = _SAME * (limits.high - limits.low)
    common = Counter(round(value / resolution) for value in values).most_common(1)[0][1]
    return len(values) - common


def spread_of(values: Sequence[float]) -> float:
    """The yardstick for an unseen change of a metric without bounds.

    Without bounds nothing limits how far one more case may move, yet equal outputs are no certainty. A case whose
    output changed is taken to move by as much as cases differ from each other: the standard deviation of the values
    themselves. When they are all equal it is their size, and 1 when they are all 0.
    """
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    size = abs(float(np.mean(values)))
    return next(each for each in (deviation, size, 1.0) if each > _NOTHING)
