"""Agreement of raters beyond chance, (observed − expected) / (1 − expected), and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.intervals import Interval, rare_change_interval
from pytest_llmval.statistics.quantiles import two_sided_t, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEWEST_EXCEPTIONS = 5  # below it a share is far from normal
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree beyond chance."""

    value: float
    """1 when they always agree, 0 when as often as by chance, below 0 when less often; within [−1, 1]."""
    interval: Interval
    standard_error: float
    """Spread of the value over samples of items; 0 for unanimous raters, which is no certainty: see the interval."""
    observed: float
    """Agreement seen: the share of pairs of labels that are equal, near misses counted in part where weighted."""
    expected: float
    """Agreement expected by chance, on the scale of `observed`."""
    items: int
    """Items rated at least twice."""
    method: str
    """Name of the coefficient."""


def beyond_chance(
    observed: Floats,
    expected: Floats,
    method: str,
    confidence: float,
    *,
    is_graded: bool = False,
    is_normal: bool = False,
) -> Agreement:
    """The coefficient of items whose means are the agreement observed and expected.

    Agreement by chance is quadratic in how often labels are given, so that an item moves it by twice its own part:
    the standard error is that of the mean of ``pulls`` (the delta method), which is what the publications have.

    Args:
        observed: Agreement on each item ``[items]``, in [0, 1].
        expected: Agreement of each item's labels with those of chance ``[items]``; its mean is below 1.
        method: Name of the coefficient.
        confidence: Two-sided coverage, in (0, 1).
        is_graded: As for `widened_interval`.
        is_normal: Divisor n and the normal distribution, as for Cohen's kappa; else n − 1 and Student's.
    """
    seen, chance = float(observed.mean()), float(expected.mean())
    value = max(-1.0, (seen - chance) / (1 - chance))  # rounding must not leave the range
    pulls = (observed - 2 * (1 - value) * expected) / (1 - chance)
    error = float(pulls.std(ddof=0 if is_normal else 1)) / math.sqrt(observed.size)
    half = error * (two_sided_z(confidence) if is_normal else two_sided_t(confidence, observed.size - 1))
    around = Interval(value - half, value + half)
    interval = widened_interval(around, observed, chance, confidence, is_graded=is_graded)
    return Agreement(value, interval, error, seen, chance, observed.size, method)


def widened_interval(
    interval: Interval,
    observed: Floats,
    expected: float,
    confidence: float,
    *,
    is_graded: bool = False,
    shares: Floats | None = None,
) -> Interval:
    """An interval of agreement beyond chance, widened where too few items stand out to tell.

    When fewer than five items show any disagreement (or any agreement), or nothing varies at all, the formulas are
    too sure: of raters who never disagreed they would be certain. Then the agreement observed gets the interval of
    `rare_change_interval`, which is Wilson's when there is no exception; agreement by chance stays as it is. For two
    raters right on 95, 97 or 99 % of 30 binary items the published 95 % interval of Cohen's kappa covers 95, 78 and
    46 % of the time (simulated; 97 % with nine in ten alike, else half), this one 96 % or more.

    Args:
        interval: What a formula, or resampling, gave.
        observed: Agreement on each item ``[items]``, in [0, 1].
        expected: Agreement by chance, below 1.
        confidence: Two-sided coverage, in (0, 1).
        is_graded: Whether near misses count in part. The items not seen are then taken to be labelled by chance, or
            as badly as the worst one seen, rather than from end to end of the scale.
        shares: What each item counts ``[items]``; None when all count the same.

    Returns:
        An interval that includes the given one, cut to [−1, 1].
    """
    exceptions = min(np.count_nonzero(observed < 1 - _ROUNDING), np.count_nonzero(observed > _ROUNDING))
    if exceptions < _FEWEST_EXCEPTIONS or interval.high - interval.low < _ROUNDING:
        mean = float(np.average(observed, weights=shares))
        variance = float(np.average((observed - mean) ** 2, weights=shares))
        worst = min(expected, float(observed.min())) if is_graded else 0.0
        seen = rare_change_interval(mean, variance, observed.size, Interval(worst, 1.0), confidence)
        likely = Interval((seen.low - expected) / (1 - expected), (seen.high - expected) / (1 - expected))
        interval = interval.hull(likely)
    return Interval(max(-1.0, interval.low), min(1.0, interval.high))
