"""Reading: the change that some pairs show, and how much of the margin it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.verdicts.estimand import more_of
from pytest_llmval.verdicts.estimate import (
    Shifted,
    changed_pairs,
    clustered_mean_of,
    mean_of,
    spread_of,
    suite_mean_of,
    weighted_mean_of,
)
from pytest_llmval.verdicts.pairing import Column
from pytest_llmval.verdicts.rule import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.failed import Imagined
    from pytest_llmval.verdicts.pairing import Pair
    from pytest_llmval.verdicts.question import Question

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the cases: with the failures at the worst bound, for example, or without them."""

    change: Change
    means: tuple[float, float]
    """Of the baseline and of the candidate, in the order of output."""


def read(question: Question, pairs: Sequence[Pair], imagined: Imagined | None = None) -> Reading:
    """The change that these pairs show.

    Failures stand at the worst bound unless something else is imagined; what the baseline scored is to be expected.
    """
    sides = _sides(question, pairs, imagined)
    margin, difference, share = question.rule.margin, sides.contrast(1, -1), _share(question, sides)
    if share:
        room, headroom = sides.contrast(1, share - 1), sides.contrast(-1, 1 + share)
    else:
        size = 0.0 if margin.is_relative else margin.size
        room, headroom = Shifted(difference, size), Shifted(difference, size, mirrored=True)
    base = sides.means[0] if share or not margin.is_relative else 0.0
    return Reading(Change(difference, room, headroom, base, more_of(question.estimand)), sides.means)


def _share(question: Question, sides: _Sides) -> float:
    """The share of the baseline that a relative margin tolerates, signed as the baseline is; else 0.

    Also 0 where the baseline is not shown to differ from 0. Nothing is a share of nothing, and of a number that may
    as well be negative a share would ask for more the larger it is.

    Source:
        E. C. Fieller, J. R. Stat. Soc. B 16 (1954) 175: the ratio of two means is bounded only where the denominator
        is shown not to be 0.
    """
    margin = question.rule.margin
    if not margin.is_relative:
        return 0.0
    level = sides.contrast(0, 1).interval(question.rule.levels.confidence)
    return margin.size if level.low > 0 else -margin.size if level.high < 0 else 0.0


class _Sides(Protocol):
    """Both sides of some pairs, turned so that larger is better."""

    @property
    def means(self) -> tuple[float, float]:
        """Of the baseline and of the candidate, as they were measured."""

    def contrast(self, ours: float, theirs: float) -> Estimate:
        """The mean of ours · candidate + theirs · baseline."""


def _sides(question: Question, pairs: Sequence[Pair], imagined: Imagined | None) -> _Sides:
    return (_Suite if question.estimand == "suite" else _Population).of(question, pairs, imagined)


@dataclass(frozen=True, slots=True, eq=False)
class _Population:
    """Cases like these: each with one value."""

    question: Question
    ours: Floats
    theirs: Floats
    weights: Floats
    clusters: list[str] | None

    @classmethod
    def of(cls, question: Question, pairs: Sequence[Pair], imagined: Imagined | None) -> _Population:
        """From the values of the pairs."""
        ours = [imagined((pair.baseline,))[0] if pair.failure and imagined else pair.candidate or 0.0 for pair in pairs]
        return cls(
            question,
            question.sign * np.array(ours),
            question.sign * np.array([pair.baseline for pair in pairs]),
            weights_of(question, pairs),
            [pair.cluster for pair in pairs] if question.is_clustered else None,
        )

    @property
    def means(self) -> tuple[float, float]:
        """Weighted when the cases weigh differently."""
        sides = [
            self.question.sign * float(np.average(side, weights=self.weights)) for side in (self.theirs, self.ours)
        ]
        return sides[0], sides[1]

    def contrast(self, ours: float, theirs: float) -> Estimate:
        """By the interval that fits the kind of the scores."""
        question, values = self.question, ours * self.ours + theirs * self.theirs
        # Whether a case changed shows in the difference, also where the baseline is scaled.
        changes = self.ours - self.theirs if ours else values
        mean = float(np.average(values, weights=self.weights))
        limits = _limits(question, mean, (ours, self.ours), (theirs, self.theirs))
        if question.weighted:
            return weighted_mean_of(values, self.weights, self.clusters, limits, changes)
        if self.clusters is not None:
            return clustered_mean_of(values, self.clusters, limits, changes)
        if question.is_binary and (ours, theirs) == (1, -1):
            return changed_pairs(values, limits.high)
        return mean_of(values, limits, changes)


@dataclass(frozen=True, slots=True, eq=False)
class _Suite:
    """Exactly these cases: each with its trials."""

    question: Question
    ours: list[list[float]]
    theirs: list[list[float]]

    @classmethod
    def of(cls, question: Question, pairs: Sequence[Pair], imagined: Imagined | None) -> _Suite:
        """From the trials of the pairs; a case that failed did so in every one."""
        ours, theirs = Column(question.candidate), Column(question.baseline)
        worst = (question.candidate.worst or 0.0,) * question.candidate.trials
        before = [theirs.trials(pair.id) for pair in pairs]
        after = [
            (imagined(known) if imagined else worst) if pair.failure else ours.trials(pair.id)
            for pair, known in zip(pairs, before, strict=True)
        ]
        turned = [[_scaled(trials, question.sign) for trials in side] for side in (after, before)]
        return cls(question, *turned)

    @property
    def means(self) -> tuple[float, float]:
        """Of the means over trials."""
        return self.question.sign * _mean_of_means(self.theirs), self.question.sign * _mean_of_means(self.ours)

    def contrast(self, ours: float, theirs: float) -> Estimate:
        """By the noise between trials."""
        plus, minus = [_scaled(case, ours) for case in self.ours], [_scaled(case, -theirs) for case in self.theirs]
        mean, sides = _mean_of_means(plus) - _mean_of_means(minus), map(np.concatenate, (self.ours, self.theirs))
        limits = _limits(self.question, mean, *zip((ours, theirs), sides, strict=True))
        return suite_mean_of(plus, minus, limits)


def _scaled(trials: Sequence[float], factor: float) -> list[float]:
    return [factor * value for value in trials]


def _mean_of_means(side: Sequence[Sequence[float]]) -> float:
    return sum(sum(trials) / len(trials) for trials in side) / len(side)


def _limits(question: Question, mean: float, *parts: tuple[float, Floats]) -> Interval:
    """Least and largest that the sum of factor · value, one part a side, may be for a case.

    By the bounds of the metric. Where there are none, by the spread of the values; one more case may as well not have
    changed at all, so 0 always lies within.
    """
    bounds = question.candidate.bounds
    if bounds is not None:
        ends = [sorted(factor * question.sign * bound for bound in bounds) for factor, _ in parts]
        return Interval(sum(low for low, _ in ends), sum(high for _, high in ends))
    spread = spread_of(np.concatenate([values for factor, values in parts if factor]))
    return Interval(min(mean, 0.0) - spread, max(mean, 0.0) + spread)


def weights_of(question: Question, pairs: Sequence[Pair]) -> Floats:
    """What each pair counts ``[pairs]``: all the same unless the question is weighted."""
    return np.array([pair.weight if question.weighted else 1.0 for pair in pairs])
