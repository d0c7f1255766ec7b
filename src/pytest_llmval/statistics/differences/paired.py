"""Two versions on the same cases: intervals and p-values for the difference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from pytest_llmval.statistics.intervals import Interval, t_interval
from pytest_llmval.statistics.quantiles import two_sided_z

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FEWEST_FOR_SPREAD = 2
_ROUNDING = 1e-9  # of planned, fractional counts
_HALVINGS = 60  # 2⁻⁶⁰: below the resolution of a float near 1


def tango_interval(gained: float, lost: float, pairs: float, confidence: float = 0.90) -> Interval:
    """Score interval for the change of a pass rate, (gained − lost) / pairs: positive is better.

    Args:
        gained: Cases that the baseline failed and the candidate passes; a fraction only when planning.
        lost: Cases that the baseline passed and the candidate fails.
        pairs: All cases, changed or not; gained + lost ≤ pairs.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        Bounds of candidate rate − baseline rate, within [−1, 1]; ±z²/(pairs + z²) when nothing changed.

    Raises:
        ValueError: If pairs is 0, a count is negative, or more changed than there are.

    Source:
        T. Tango, Stat. Med. 17 (1998) 891, with δ = p₁₂ − p₂₁, b = gained, c = lost.

    >>> interval = tango_interval(gained=6, lost=16, pairs=161, confidence=0.95)
    >>> round(interval.low, 4), round(interval.high, 4)
    (-0.124, -0.0054)
    """
    _check_changes(gained, lost)
    if not gained + lost <= pairs * (1 + _ROUNDING) or not pairs > 0:
        msg = f"pairs={pairs!r}; expected more than 0 and at least gained + lost = {gained + lost!r}"
        raise ValueError(msg)
    square = two_sided_z(confidence) ** 2
    estimate = (gained - lost) / pairs

    def is_plausible(delta: float) -> bool:
        return (gained - lost - pairs * delta) ** 2 <= square * _tango_variance(gained, lost, pairs, delta)

    return Interval(_farthest(is_plausible, estimate, -1.0), _farthest(is_plausible, estimate, 1.0))


def _tango_variance(gained: float, lost: float, pairs: float, delta: float) -> float:
    """Variance of gained − lost if the true difference were ``delta``."""
    linear = -gained - lost + (2 * pairs - gained + lost) * delta
    constant = -lost * delta * (1 - delta)
    root = math.sqrt(max(0.0, linear**2 - 8 * pairs * constant))
    lost_share = (root - linear) / (4 * pairs)
    return max(0.0, pairs * (2 * lost_share + delta * (1 - delta)))


def _farthest(is_plausible: Callable[[float], bool], inside: float, outside: float) -> float:
    """The plausible value farthest from ``inside`` on the way to ``outside``, by bisection."""
    if is_plausible(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if is_plausible(middle):
            inside = middle
        else:
            outside = middle
    return inside


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p-value for as many cases gained as lost; never above its level, rather below.

    Raises:
        ValueError: If a count is negative.

    Source:
        Q. McNemar, Psychometrika 12 (1947) 153, with the binomial distribution in place of χ².

    >>> round(mcnemar_exact(6, 16), 6)
    0.052479
    """
    _check_changes(gained, lost)
    return min(1.0, _doubled_tail(gained, lost))


def mcnemar_midp(gained: int, lost: int) -> float:
    """Two-sided mid-p value for as many cases gained as lost: closer to its level than the exact one.

    Raises:
        ValueError: If a count is negative.

    Source:
        M. W. Fagerland, S. Lydersen, P. Laake, BMC Med. Res. Methodol. 13 (2013) 91.

    >>> round(mcnemar_midp(6, 16), 6)
    0.03469
    """
    _check_changes(gained, lost)
    if gained + lost == 0:
        return 1.0
    changed, fewer = gained + lost, min(gained, lost)
    # In logarithms: the binomial coefficient of a thousand cases does not fit a float.
    ties = math.lgamma(changed + 1) - math.lgamma(fewer + 1) - math.lgamma(changed - fewer + 1)
    return min(1.0, _doubled_tail(gained, lost) - math.exp(ties - changed * math.log(2)))


def _doubled_tail(gained: int, lost: int) -> float:
    return 2 * float(special.bdtr(min(gained, lost), gained + lost, 0.5))


def paired_t_interval(differences: Sequence[float], confidence: float = 0.90) -> Interval:
    """Student's interval for the mean difference, candidate − baseline.

    Equal differences give a point. That is arithmetic, not certainty: verdicts widen it by `rare_change_interval`.

    Args:
        differences: One a case, trials averaged before.
        confidence: Two-sided coverage, in (0, 1).

    Raises:
        ValueError: If there are fewer than two, since one difference has no spread.

    Source:
        Student, Biometrika 6 (1908) 1.

    >>> round(paired_t_interval([0.0, -0.1, 0.1, -0.2]).low, 3)
    -0.202
    """
    column = np.asarray(differences, dtype=float)
    if column.size < _FEWEST_FOR_SPREAD:
        msg = f"{column.size} differences; an interval from their spread needs at least 2"
        raise ValueError(msg)
    error = float(column.std(ddof=1)) / math.sqrt(column.size)
    return t_interval(float(column.mean()), error, column.size - 1, confidence)


def _check_changes(gained: float, lost: float) -> None:
    if not (gained >= 0 and lost >= 0):
        msg = f"gained={gained!r}, lost={lost!r}; expected counts of cases, 0 or more"
        raise ValueError(msg)
