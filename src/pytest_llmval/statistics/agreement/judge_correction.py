"""What humans would have said, from what a judge said: rates and means corrected for the judge's errors.

Sensitivity and specificity carry over only to answers like those they were measured on. The same judge with the same
prompt has found a share of 0.21 to 0.87 of the refusals, depending on whose answers it judged: measure on the version
at hand. The prediction-powered mean needs no such promise, only that the cases with labels are a random sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.quantiles import two_sided_z

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST_SKILL = 0.1  # sensitivity + specificity − 1: below it, errors of the judge are blown up more than tenfold
_FEWEST_LABELS = 2


@dataclass(frozen=True, slots=True)
class JudgeCounts:
    """What a judge said of cases that humans labelled, positive meaning whatever is counted, say a refusal."""

    caught: int
    """Positive cases that it called positive."""
    positives: int
    """Cases that humans called positive, at least 1."""
    cleared: int
    """Negative cases that it called negative."""
    negatives: int
    """Cases that humans called negative, at least 1."""

    def __post_init__(self) -> None:
        """Refuse counts that cannot be.

        Raises:
            ValueError: If there are no positives, no negatives, or more were found than there are.
        """
        if not (0 <= self.caught <= self.positives >= 1 and 0 <= self.cleared <= self.negatives >= 1):
            msg = f"{self!r}; expected positives and negatives of at least 1, and no more caught or cleared"
            raise ValueError(msg)

    @property
    def sensitivity(self) -> float:
        """Share of the positive cases that it called positive."""
        return self.caught / self.positives

    @property
    def specificity(self) -> float:
        """Share of the negative cases that it called negative."""
        return self.cleared / self.negatives


@dataclass(frozen=True, slots=True)
class Corrected:
    """A rate or mean as humans would have found it."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class PredictionPowered:
    """A mean of human labels that judgements of many more cases made more precise."""

    value: float
    interval: Interval
    standard_error: float
    weight: float
    """How far the judge was relied on: 0 not at all, 1 fully."""


def rogan_gladen(rate: float, sensitivity: float, specificity: float) -> float:
    """The true rate behind a rate that a judge of known sensitivity and specificity found, cut to [0, 1].

    It rises with the rate: applied to both ends of an interval of the rate found it gives one of the true rate.

    Args:
        rate: Share of cases that the judge called positive, in [0, 1].
        sensitivity: Share of the positive cases that it calls positive, in [0, 1].
        specificity: Share of the negative cases that it calls negative, in [0, 1].

    Raises:
        ValueError: If one is no share, or the judge hardly knows positives from negatives (sensitivity + specificity
            below 1.1).

    Source:
        W. J. Rogan, B. Gladen, Am. J. Epidemiol. 107 (1978) 71.

    >>> round(rogan_gladen(0.5, 0.9, 0.8), 4)
    0.4286
    """
    if not all(0 <= share <= 1 for share in (rate, sensitivity, specificity)):
        msg = f"rate={rate!r}, sensitivity={sensitivity!r}, specificity={specificity!r}; expected shares in [0, 1]"
        raise ValueError(msg)
    return _within_0_and_1((rate + specificity - 1) / _skill(sensitivity, specificity))


def corrected_rate(flagged: int, cases: int, judge: JudgeCounts, confidence: float = 0.95) -> Corrected:
    """The true rate and its interval, the sensitivity and specificity of the judge being estimates themselves.

    Args:
        flagged: Cases that the judge called positive, 0 ≤ flagged ≤ cases.
        cases: Cases judged, at least 1; others than those of `judge`.
        judge: How it did on cases that humans labelled, of the same kind.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        The rate of `rogan_gladen` and an interval around it, within [0, 1].

    Raises:
        ValueError: If there is no case, more are flagged than there are, or the judge hardly knows positives from
            negatives.

    Source:
        Z. Lang, J. Reiczigel, Prev. Vet. Med. 113 (2014) 13.

    >>> corrected_rate(500, 1000, JudgeCounts(90, 100, 80, 100)).interval.low > 0.33
    True
    """
    if not 0 <= flagged <= cases or cases < 1:
        msg = f"flagged={flagged!r}, cases={cases!r}; expected at least 1 case, and no more flagged"
        raise ValueError(msg)
    value = rogan_gladen(flagged / cases, judge.sensitivity, judge.specificity)
    return Corrected(value, _lang_reiczigel(flagged, cases, judge, two_sided_z(confidence)))


def _lang_reiczigel(flagged: int, cases: int, judge: JudgeCounts, z: float) -> Interval:
    """Their interval, around a rate for which z²/2 cases of each answer and one judgement of each kind are added."""
    rate = (flagged + z**2 / 2) / (cases + z**2)
    positives, negatives = judge.positives + 2, judge.negatives + 2
    sensitivity, specificity = (judge.caught + 1) / positives, (judge.cleared + 1) / negatives
    skill = _skill(sensitivity, specificity)
    true = (rate + specificity - 1) / skill
    by_sensitivity = sensitivity * (1 - sensitivity) / positives
    by_specificity = specificity * (1 - specificity) / negatives
    shift = 2 * z**2 * (true * by_sensitivity - (1 - true) * by_specificity)
    variance = rate * (1 - rate) / (cases + z**2) + true**2 * by_sensitivity + (1 - true) ** 2 * by_specificity
    half = z * math.sqrt(variance) / skill
    return Interval(_within_0_and_1(true + shift - half), _within_0_and_1(true + shift + half))


def prediction_powered_mean(
    labels: Sequence[float],
    judged: Sequence[float],
    judged_only: Sequence[float],
    *,
    weight: float | None = None,
    confidence: float = 0.95,
) -> PredictionPowered:
    """Mean of human labels, made more precise by a judge who graded many more cases and may be wrong.

    Good judgements narrow the interval, useless ones get the weight 0: what remains is the mean of the labels alone.
    For a comparison of versions give differences, candidate − baseline, of labels and of judgements.

    Args:
        labels: By humans, one a case, of cases drawn at random from all.
        judged: What the judge said of the same cases, in the same order.
        judged_only: What it said of all other cases.
        weight: How far to rely on the judge, in [0, 1]; None for the weight that makes the interval narrowest.
        confidence: Two-sided coverage, in (0, 1), of the normal distribution: from some 40 labels on. Labels that
            never differ from weight × judgement give an interval of next to no width, which is no certainty.

    Raises:
        ValueError: If there are fewer than two labels, no case without one, not as many judgements as labels, or a
            weight outside [0, 1].

    Source:
        A. N. Angelopoulos, J. C. Duchi, T. Zrnic, arXiv:2311.01453 (2023).

    >>> prediction_powered_mean([1, 0, 1, 0], [1, 0, 1, 0], [1, 0] * 50, weight=1.0).value
    0.5
    """
    known, said, rest = (np.asarray(column, dtype=float) for column in (labels, judged, judged_only))
    if known.size < _FEWEST_LABELS or known.size != said.size or not rest.size:
        msg = (
            f"{known.size} labels, {said.size} judgements of the same cases, {rest.size} of others; "
            "expected at least 2 labels, as many judgements of the same cases, and at least 1 of others"
        )
        raise ValueError(msg)
    trust = _best_weight(known, said, rest) if weight is None else weight
    if not 0 <= trust <= 1:
        msg = f"weight={weight!r}; expected a number from 0 to 1, or None for the best"
        raise ValueError(msg)
    remainder = known - trust * said
    value = trust * float(rest.mean()) + float(remainder.mean())
    error = math.sqrt(trust**2 * float(rest.var()) / rest.size + float(remainder.var()) / known.size)
    half = two_sided_z(confidence) * error
    return PredictionPowered(value, Interval(value - half, value + half), error, trust)


def _best_weight(known: Floats, said: Floats, rest: Floats) -> float:
    """The weight of the least variance; 0 for a judge who always says the same."""
    spread = float(np.concatenate([said, rest]).var(ddof=1))
    together = float(((known - known.mean()) * (said - said.mean())).mean())
    return _within_0_and_1(together / ((1 + known.size / rest.size) * spread)) if spread else 0.0


def _skill(sensitivity: float, specificity: float) -> float:
    """Youden's index: 0 for a judge who guesses, 1 for one who never errs."""
    skill = sensitivity + specificity - 1
    if skill < _LEAST_SKILL:
        msg = (
            f"sensitivity {sensitivity:.3g} + specificity {specificity:.3g} - 1 is {skill:.3g}: the judge hardly knows "
            f"positives from negatives; expected at least {_LEAST_SKILL}"
        )
        raise ValueError(msg)
    return skill


def _within_0_and_1(share: float) -> float:
    return min(1.0, max(0.0, share))
