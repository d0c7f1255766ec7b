"""Intervals for one rate or one mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from pytest_llmval.statistics.quantiles import check_confidence, two_sided_t, two_sided_z

_NO_BEND = 1e-6  # less changes no digit that is shown
_NO_WIDTH = 1e-100  # its square would vanish


@dataclass(frozen=True, slots=True)
class Interval:
    """A range from `low` to `high`, both included."""

    low: float
    high: float

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """Interval for a success rate that stays honest for few trials and rates near 0 or 1.

    Args:
        successes: Number of passes, 0 ≤ successes ≤ trials; a fraction only when planning.
        trials: Number of independent trials, at least 1.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        Bounds of the rate, within [0, 1].

    Raises:
        ValueError: If trials is 0, since no trial says nothing about the rate.

    Source:
        E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209; no continuity correction.

    >>> round(wilson_interval(9, 10).low, 3)
    0.596
    """
    _check_rate(successes, trials)
    rate, square = successes / trials, two_sided_z(confidence) ** 2
    centre = (rate + square / (2 * trials)) / (1 + square / trials)
    spread = rate * (1 - rate) / trials + square / (4 * trials**2)
    half = math.sqrt(square * spread) / (1 + square / trials)
    # Rounding must not exclude the rate itself at 0 and 1.
    return Interval(max(0.0, min(centre - half, rate)), min(1.0, max(centre + half, rate)))


def clopper_pearson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Interval for a success rate that covers at least as often as it says, whatever the rate.

    Args:
        successes: Number of passes, 0 ≤ successes ≤ trials.
        trials: Number of independent trials, at least 1.
        confidence: Two-sided coverage, in (0, 1).

    Raises:
        ValueError: If trials is 0 or successes lies outside [0, trials].

    Source:
        C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404.

    >>> round(clopper_pearson_interval(0, 59, 0.90).high, 4)
    0.0495
    """
    _check_rate(successes, trials)
    check_confidence(confidence)
    tail, failures = (1 - confidence) / 2, trials - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return Interval(float(low), float(high))


def t_interval(mean: float, standard_error: float, degrees: float, confidence: float = 0.90) -> Interval:
    """Student's interval around ``mean``.

    It collapses to a point when the standard error is 0: whoever draws a conclusion from it adds
    `rare_change_interval`.
    """
    half = two_sided_t(confidence, degrees) * standard_error
    return Interval(mean - half, mean + half)


def skewed_interval(
    mean: float, standard_error: float, degrees: float, skewness: float, confidence: float = 0.90
) -> Interval:
    """Student's interval, widened to the side where a skewed sample hides the larger values.

    A few large losses among many small changes pull the mean and its error together, so that Student's lower end
    lies too high too often. The ends are those of Hall's cubic transformation of t, or Student's where these are
    farther out.

    Args:
        mean: Mean of the values.
        standard_error: Its standard error.
        degrees: Independent values − 1; a fraction only when planning.
        skewness: Third central moment over the standard deviation cubed; 0 gives Student's interval.
        confidence: Two-sided coverage, in (0, 1).

    Source:
        P. Hall, J. R. Stat. Soc. B 54 (1992) 221, with Student's quantiles for the normal ones.

    >>> skewed_interval(0.0, 1.0, 49, -3.0).low < t_interval(0.0, 1.0, 49).low
    True
    """
    student = t_interval(mean, standard_error, degrees, confidence)
    bend = skewness / math.sqrt(degrees + 1)
    if abs(bend) < _NO_BEND:
        return student
    reach = two_sided_t(confidence, degrees)
    low, high = (mean - _straightened(end, bend) * standard_error for end in (reach, -reach))
    return student.hull(Interval(low, high))


def _straightened(value: float, bend: float) -> float:
    """The t whose transform t + b·t²/3 + b²·t³/27 + b/6 is ``value``."""
    return 3 * (math.cbrt(1 + bend * (value - bend / 6)) - 1) / bend


def rare_change_interval(
    mean: float, variance: float, count: float, limits: Interval, confidence: float = 0.90
) -> Interval:
    """Score interval for the mean of values of which nearly all are equal.

    Equal values are no certainty: the next one may be as bad as the limit. The interval holds every mean that a
    share q of values lying at the limit would explain, as long as such data were not surprising::

        (q·w)² ≤ z²/count · (1 − q)·(variance + q·w²),    w = distance from the mean to the limit

    Without variance it is z²/(count + z²) of w, the bound of Wilson and Tango for no event.

    Args:
        mean: Mean of the values, within the limits.
        variance: Their variance with divisor ``count``.
        count: Number of independent values, more than 0; a fraction only when planning.
        limits: Least and largest possible value.
        confidence: Two-sided coverage, in (0, 1).

    Source:
        Wilson's construction (the variance is taken at the hypothesis, not at the estimate) for a mixture with a
        point mass at the limit; for 0 and 1 values slightly wider than Wilson's, equal when all are the same.

    >>> rare_change_interval(0.0, 0.0, 52, Interval(-1.0, 1.0)).low > -0.05
    True
    """
    square = two_sided_z(confidence) ** 2 / count
    below = _rare_shift(variance, mean - limits.low, square)
    above = _rare_shift(variance, limits.high - mean, square)
    return Interval(mean - below, mean + above)


def _rare_shift(variance: float, width: float, square: float) -> float:
    """How far a mean may move towards a limit ``width`` away; ``square`` is z²/n."""
    if width <= _NO_WIDTH:
        return 0.0
    ratio = variance / width**2
    linear = square * (1 - ratio)
    share = (linear + math.sqrt(linear**2 + 4 * (1 + square) * square * ratio)) / (2 * (1 + square))
    return share * width


def _check_rate(successes: float, trials: float) -> None:
    if not trials > 0:
        msg = f"trials={trials!r}: no trial says nothing about the rate; expected at least 1"
        raise ValueError(msg)
    if not 0 <= successes <= trials:
        msg = f"successes={successes!r}; expected a number from 0 to trials={trials!r}"
        raise ValueError(msg)
