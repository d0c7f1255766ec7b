"""Estimate: one number read off the cases, with an interval for these and for more such cases."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_sums
from pytest_llmval.statistics.differences.paired import tango_interval
from pytest_llmval.statistics.differences.ratio import weighted_mean
from pytest_llmval.statistics.differences.suite import suite_mean
from pytest_llmval.statistics.differences.trials import trials_of_both
from pytest_llmval.statistics.intervals import Interval, rare_change_interval, skewed_interval, wilson_interval
from pytest_llmval.statistics.mean import MeanWithError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.differences.trials import Trials

    Floats = NDArray[np.float64]
    Values = Sequence[float] | Floats

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
    width: float = 1.0
    """From the value of a fail to that of a pass."""
    method: str = "tango"

    @property
    def value(self) -> float:
        """Candidate − baseline, in the metric's unit."""
        return self.width * (self.gained - self.lost) / self.pairs

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Tango's interval."""
        factor = 1.0 if cases is None else cases / self.pairs
        own = tango_interval(self.gained * factor, self.lost * factor, self.pairs * factor, confidence)
        return Interval(self.width * own.low, self.width * own.high)


@dataclass(frozen=True, slots=True)
class PassRate:
    """Mean of values of which each is the one limit or the other."""

    passes: int
    """Cases at the upper limit."""
    cases: int
    limits: Interval
    method: str = "wilson"

    @property
    def value(self) -> float:
        """The mean."""
        return self._at(self.passes / self.cases)

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Wilson's interval."""
        count = self.cases if cases is None else cases
        own = wilson_interval(self.passes / self.cases * count, count, confidence)
        return Interval(self._at(own.low), self._at(own.high))

    def _at(self, rate: float) -> float:
        return self.limits.low + rate * (self.limits.high - self.limits.low)


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of values that vary between independent units, which are cases or clusters of cases."""

    value: float
    cases: int
    units: float
    """As many as they are worth: fewer than there are when a few of them outweigh the others."""
    variance: float
    """Of a unit around the mean, with divisor ``units``."""
    skewness: float
    """Of the units: below 0 when a few of them fall far below the others."""
    varying: int
    """Units that changed: that differ from the most common value."""
    fewest_varying: int
    limits: Interval
    name: str = "t"

    @property
    def method(self) -> str:
        """`score` when so few units vary that Student's interval would not be honest."""
        return f"{self.name}+score" if self._is_sparse(1.0) else self.name

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Student's interval, widened where it leans on symmetry, and to the score bound while few units vary."""
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


def mirrored(estimate: Estimate) -> Estimate:
    """The number with its sign turned; of several readings again the least favourable at every point."""
    if isinstance(estimate, LeastFavourable):
        return LeastFavourable(tuple(map(mirrored, estimate.readings)))
    return Shifted(estimate, 0.0, mirrored=True)


@dataclass(frozen=True, slots=True)
class SuiteMean:
    """Mean over exactly these cases; nothing but their trials varies."""

    mean: MeanWithError
    trials: float
    """Trials of a case and side."""
    cases: int
    skewness: float
    """Of the mean; 0 with two trials, which show none."""
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
        degrees = self.mean.degrees * factor
        # The mean of endless trials is not skewed; that of these is by so much.
        skewness = self.skewness / math.sqrt(factor) * math.sqrt(degrees + 1)
        student = skewed_interval(self.value, error, degrees, skewness, confidence)
        if not self._is_sparse:
            return student
        asked = self.cases * self.trials * factor
        # As many trials as were asked agreed: each of them could have shown that they do not.
        score = rare_change_interval(self.value, error**2 * asked, asked, self.limits, confidence)
        return score.hull(student)


def suite_mean_of(plus: Sequence[Sequence[float]], minus: Sequence[Sequence[float]], limits: Interval) -> SuiteMean:
    """Mean of plus − minus over exactly these cases, from the values of each trial, at least two a case and side."""
    mean, sides = suite_mean(plus, minus), trials_of_both(plus, minus)
    noise = np.sqrt(np.maximum(*(side.variances for side in sides)))
    trials = np.minimum(*(side.counts for side in sides))
    third = _third_cumulant(plus, sides[0]) - _third_cumulant(minus, sides[1])
    spread = mean.standard_error * len(plus)
    return SuiteMean(
        mean,
        trials=float(trials.mean()),
        cases=len(plus),
        skewness=third / spread**3 if spread > _NOTHING else 0.0,
        disagreeing=int((noise > _SAME * (limits.high - limits.low)).sum()),
        limits=limits,
    )


def _third_cumulant(values: Sequence[Sequence[float]], trials: Trials) -> float:
    """Of the sum over the cases of the mean of their trials, without bias; two trials show none."""
    residuals = np.concatenate([np.asarray(each, dtype=float) for each in values])
    residuals = residuals - np.repeat(trials.means, trials.counts)
    cubes = np.add.reduceat(residuals**3, np.cumsum(trials.counts) - trials.counts)
    counts = np.maximum(trials.counts, 3)  # of two trials the cubes cancel
    return float((cubes / ((counts - 1) * (counts - 2) * counts)).sum())


def changed_pairs(changes: Floats, width: float = 1.0) -> ChangedPairs:
    """How many changed to which side; ``width`` is the distance from a fail to a pass."""
    return ChangedPairs(int((changes > 0).sum()), int((changes < 0).sum()), changes.size, width)


def mean_of(values: Values, limits: Interval, changes: Values | None = None) -> Mean:
    """Mean of independent cases within ``limits``.

    Args:
        values: One a case.
        limits: Least and largest value of a case.
        changes: What tells whether a case changed, where it is not the value itself: equal ones are no certainty,
            whatever the values.
    """
    column = np.asarray(values, dtype=float)
    return Mean(
        value=_within(float(column.mean()), limits),
        cases=column.size,
        units=column.size,
        variance=float(column.var()),
        skewness=_skewness(column - column.mean()),
        varying=_varying(column if changes is None else np.asarray(changes, dtype=float), limits),
        fewest_varying=FEWEST_VARYING,
        limits=limits,
    )


def clustered_mean_of(values: Floats, clusters: Sequence[str], limits: Interval, changes: Floats | None = None) -> Mean:
    """Mean of cases within ``limits`` that are independent between clusters only.

    With clusters of equal size it is CR1 with t(G − 1); where a few are large it rests on fewer. CR1 takes nine
    clusters of one case and one of fifty for ten, and calls a loss that is none in 44 % of runs instead of 5 %.
    """
    found = weighted_mean_of(values, np.ones_like(values), clusters, limits, changes)
    return replace(found, name="cluster_t")


def weighted_mean_of(
    values: Floats, weights: Floats, clusters: Sequence[str] | None, limits: Interval, changes: Floats | None = None
) -> Mean:
    """Weighted mean of cases within ``limits``, independent each or between clusters; some weight is not 0."""
    units = clusters or [str(place) for place in range(values.size)]
    totals = cluster_sums(weights, units)
    weighing, moving = totals > 0, values if changes is None else changes
    count = int(weighing.sum())
    found = weighted_mean(values.tolist(), weights.tolist(), units) if count > 1 else _single(values, weights)
    return Mean(
        value=_within(found.value, limits),
        cases=values.size,
        units=found.degrees + 1,
        # √(variance / (units − 1)) is then the standard error.
        variance=found.standard_error**2 * found.degrees,
        skewness=_skewness(cluster_sums(weights * (values - found.value), units)[weighing]),
        varying=_varying((cluster_sums(weights * moving, units)[weighing] / totals[weighing]), limits),
        fewest_varying=FEWEST_CLUSTERS if clusters else FEWEST_VARYING,
        limits=limits,
        name="weighted_cluster_t" if clusters else "weighted_t",
    )


def _single(values: Floats, weights: Floats) -> MeanWithError:
    """One unit: its mean, and no error that it could show."""
    return MeanWithError(float(values @ weights / weights.sum()), 0.0, 0.0)


def _within(value: float, limits: Interval) -> float:
    return min(max(value, limits.low), limits.high)


def _skewness(residuals: Floats) -> float:
    """Third moment over the 3/2 power of the second; 0 where all are equal."""
    second = float(np.mean(residuals**2))
    return float(np.mean(residuals**3)) / second**1.5 if second > _NOTHING else 0.0


def _varying(values: Floats, limits: Interval) -> int:
    """How many differ from the most common value."""
    rounded = np.round(values / (_SAME * (limits.high - limits.low)))
    return values.size - int(np.unique(rounded, return_counts=True)[1].max())


def spread_of(values: Values) -> float:
    """The yardstick for an unseen change of a metric without bounds.

    Without bounds nothing limits how far one more case may move, yet equal outputs are no certainty. A case whose
    output changed is taken to move by as much as cases differ from each other: the standard deviation of the values
    themselves. When they are all equal it is their size, and 1 when they are all 0.
    """
    deviation, size = float(np.std(values)), abs(float(np.mean(values)))
    return next(each for each in (deviation, size, 1.0) if each > _NOTHING)
