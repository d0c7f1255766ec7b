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
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.80,
) -> int:
    """Number of cases needed to see a mean difference of ``effect``.

    By the normal distribution: as the variance has to be estimated too, two more cases are needed (z²₁₋α/₂ / 2).

    Args:
        effect: True mean difference to be found, not 0.
        variance: Variance of the difference between cases, trials aside.
        trial_variance: Variance between trials of one case, the same for both versions. When the versions differ,
            leave it out and give `VarianceComponents.of_difference` as the variance.
        trials: Trials a case of each version, at least 1.
        design_effect: By how much clusters inflate the variance, such as `design_effect`; above 0.
        alpha: Two-sided level, in (0, 1).
        power: Chance of finding it, in (0, 1).

    Raises:
        ValueError: If the effect is 0, a variance negative or a share not inside (0, 1).

    Source:
        E. Miller, arXiv:2411.00640 (2024), section 5: n = (z₁₋α/₂ + z_power)²·(ω² + 2σ²/K)/δ², times the design
        effect. Two cases more: W. C. Guenther, Am. Stat. 35 (1981) 243.

    >>> required_n(0.03, 1 / 9)
    969
    """
    _check_effect(effect)
    total = _total_variance(variance, trial_variance, trials, design_effect)
    return math.ceil(_reach(alpha, power) ** 2 * total / effect**2)


def required_n_binary(gained_share: float, lost_share: float, *, alpha: float = 0.05, power: float = 0.80) -> int:
    """Number of cases needed to see that more pass or more fail, by McNemar's test.

    Args:
        gained_share: Share of cases that the baseline fails and the candidate passes.
        lost_share: Share of cases that the baseline passes and the candidate fails.
        alpha: Two-sided level, in (0, 1).
        power: Chance of finding it, in (0, 1); the mid-p value reaches it, the exact one stays a little below.

    Raises:
        ValueError: If the shares are equal, negative or more than 1 together, or a level is not inside (0, 1).

    Source:
        R. J. Connor, Biometrics 43 (1987) 207: n = (z₁₋α/₂·√ψ + z_power·√(ψ − δ²))²/δ², ψ the sum of the shares and δ
        their difference.

    >>> required_n_binary(0.05, 0.10)
    469
    """
    changed, effect = gained_share + lost_share, gained_share - lost_share
    if min(gained_share, lost_share) < 0 or changed > 1:
        msg = f"gained_share={gained_share!r}, lost_share={lost_share!r}; expected shares of at most 1 together"
        raise ValueError(msg)
    _check_effect(effect)
    z_level, z_power = two_sided_z(1 - alpha), _power_z(power)
    return math.ceil((z_level * math.sqrt(changed) + z_power * math.sqrt(changed - effect**2)) ** 2 / effect**2)


def minimal_detectable_effect(
    cases: int,
    variance: float,
    *,
    trial_variance: float = 0.0,
    trials: int = 1,
    design_effect: float = 1.0,
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
    total = _total_variance(variance, trial_variance, trials, design_effect)
    return _reach(alpha, power) * math.sqrt(total / cases)


def optimal_trials(between: float, within: float, *, case_cost: float, trial_cost: float) -> int:
    """Trials a case that give the narrowest interval for a given cost, when more cases can be had.

    Args:
        between: Variance between cases, ω², more than 0.
        within: Variance between trials of one case, σ²: the sum of both versions' when both are asked.
        case_cost: What one more case costs, trials aside, such as writing and labelling it; 0 or more.
        trial_cost: What one more trial of a case costs, in the same unit: of both versions when both are asked.

    Returns:
        At least 1: the whole number that minimises cost times variance, next to √(σ²/ω² · case_cost/trial_cost).

    Raises:
        ValueError: If a variance or a cost is impossible. Without variance between cases a single one would do, and
            that is never known.

    Source:
        Optimal allocation in two stages: W. G. Cochran, Sampling Techniques (1977), section 10.6.

    >>> optimal_trials(0.04, 0.25, case_cost=10, trial_cost=1)
    8
    """
    if not (between > 0 and within >= 0 and case_cost >= 0 and trial_cost > 0):
        msg = (
            f"between={between!r}, within={within!r}, case_cost={case_cost!r}, trial_cost={trial_cost!r}; "
            "expected between and trial_cost above 0, within and case_cost 0 or more"
        )
        raise ValueError(msg)
    below = max(1, math.floor(math.sqrt(within / between * case_cost / trial_cost)))
    return min(below, below + 1, key=lambda trials: (case_cost + trials * trial_cost) * (between + within / trials))


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
    return two_sided_z(1 - alpha) + _power_z(power)


def _power_z(power: float) -> float:
    if not 0 < power < 1:
        msg = f"power={power!r}; expected a number between 0 and 1, for example 0.80"
        raise ValueError(msg)
    return float(special.ndtri(power))


def _check_effect(effect: float) -> None:
    if effect == 0:
        msg = "effect=0: no number of cases shows a difference that is not there; expected another number"
        raise ValueError(msg)


def _total_variance(variance: float, trial_variance: float, trials: int, design_effect: float) -> float:
    if variance < 0 or trial_variance < 0 or trials < 1 or design_effect <= 0:
        msg = (
            f"variance={variance!r}, trial_variance={trial_variance!r}, trials={trials!r}, "
            f"design_effect={design_effect!r}; expected variances of 0 or more, 1 trial or more, an effect above 0"
        )
        raise ValueError(msg)
    return design_effect * (variance + 2 * trial_variance / trials)
