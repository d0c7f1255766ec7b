"""How many cases a gate needs, and what a number of cases can show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy import special

from pytest_llmval.statistics.quantiles import two_sided_z

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CASES = 10_000_000
"""Beyond this many cases the answer is that more would not help."""


def required_n(
    effect: float,
    variance: float,
    *,
    trial_variance: float = 0.0,
    trials: int = 1,
    alpha: float = 0.05,
    power: float = 0.80,
) -> int:
    """Number of cases needed to see a mean difference of ``effect``.

    Args:
        effect: True mean difference to be found, not 0.
        variance: Variance of the difference between cases, trials aside.
        trial_variance: Variance between trials of one case, the same for both versions.
        trials: Trials a case of each version, at least 1.
        alpha: Two-sided level, in (0, 1).
        power: Chance of finding it, in (0, 1).

    Raises:
        ValueError: If the effect is 0, a variance negative or a share not inside (0, 1).

    Source:
        E. Miller, arXiv:2411.00640 (2024), section 5: n = (z₁₋α/₂ + z_power)²·(ω² + 2σ²/K)/δ².

    >>> required_n(0.03, 1 / 9)
    969
    """
    if effect == 0:
        msg = "effect=0: no number of cases shows a difference that is not there; expected another number"
        raise ValueError(msg)
    total = _total_variance(variance, trial_variance, trials)
    return math.ceil(_reach(alpha, power) ** 2 * total / effect**2)


def minimal_detectable_effect(
    cases: int,
    variance: float,
    *,
    trial_variance: float = 0.0,
    trials: int = 1,
    alpha: float = 0.05,
    power: float = 0.80,
) -> float:
    """The smallest mean difference that this many cases find with chance ``power``.

    The arguments are those of `required_n`, its inverse.

    Raises:
        ValueError: If there is no case, a variance is negative or a share not inside (0, 1).

    >>> round(minimal_detectable_effect(198, 1 / 9, trial_variance=1 / 6), 4)
    0.1327
    """
    if cases < 1:
        msg = f"cases={cases!r}; expected at least 1"
        raise ValueError(msg)
    return _reach(alpha, power) * math.sqrt(_total_variance(variance, trial_variance, trials) / cases)


def smallest_sufficient(is_enough: Callable[[int], bool], start: int = 1) -> int | None:
    """The smallest count from ``start`` on that is enough, None when not even ten million are.

    What is enough must stay enough: found by doubling, then halving.

    >>> smallest_sufficient(lambda count: count * 0.1 > 2)
    21
    """
    low, high = start - 1, max(start, 1)
    while not is_enough(high):
        low, high = high, high * 2
        if high > MOST_CASES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _reach(alpha: float, power: float) -> float:
    """How many standard errors the effect must lie from zero."""
    if not 0 < power < 1:
        msg = f"power={power!r}; expected a number between 0 and 1, for example 0.80"
        raise ValueError(msg)
    return two_sided_z(1 - alpha) + float(special.ndtri(power))


def _total_variance(variance: float, trial_variance: float, trials: int) -> float:
    if variance < 0 or trial_variance < 0 or trials < 1:
        msg = (
            f"variance={variance!r}, trial_variance={trial_variance!r}, trials={trials!r}; "
            "expected variances of 0 or more and at least 1 trial"
        )
        raise ValueError(msg)
    return variance + 2 * trial_variance / trials
