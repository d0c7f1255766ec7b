"""E-processes: evidence that may be looked at after every observation, and acted on at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Alternative = Literal["two-sided", "greater", "less"]

_ALTERNATIVES = ("two-sided", "greater", "less")
_LARGEST_LOG = math.log(np.finfo(float).max)
_UNDERFLOW = 1e-280
_NOTHING_MORE = 40.0  # exp(-40) of a sum is below its last digit


def e_process_binary(successes: int, failures: int, null: float = 0.5, alternative: Alternative = "two-sided") -> float:
    """Evidence against a success rate, for a count that may stop at any time and for any reason.

    The mean likelihood ratio against ``null`` over all rates of the alternative, each weighted alike. Under the null
    hypothesis (with `less` every rate of at least ``null``, with `greater` every rate of at most ``null``) the chance
    that it ever reaches 1/α is at most α: reject as soon as it does. The order of the observations does not matter.

    Args:
        successes: Number of successes so far, at least 0.
        failures: Number of failures so far, at least 0.
        null: The rate doubted, in (0, 1).
        alternative: `less` gathers evidence for a lower rate, `greater` for a higher one.

    Returns:
        The e-value, above 0 and 1 before the first observation; infinity beyond the largest float.

    Raises:
        ValueError: If a count is negative, the rate lies outside (0, 1) or the alternative is unknown.

    Source:
        J. Ville, Étude critique de la notion de collectif (1939), for the bound; H. Robbins, Ann. Math. Stat. 41
        (1970) 1397, for mixtures. One-sided at 1/2: 2^(n+1)·B(s+1, f+1)·I½(f+1, s+1).

    >>> round(e_process_binary(7, 0, alternative="greater"), 3)
    31.875
    """
    if successes < 0 or failures < 0 or not 0 < null < 1:
        msg = f"successes={successes!r}, failures={failures!r}, null={null!r}; expected counts and a rate in (0, 1)"
        raise ValueError(msg)
    _check_alternative(alternative)
    if alternative == "two-sided":
        return _exp(_log_both(successes, failures, null, 1 - null))
    if alternative == "greater":
        return _exp(_log_less(failures, successes, 1 - null, null))
    return _exp(_log_less(successes, failures, null, 1 - null))


def e_process_bounded(
    values: Sequence[float],
    mean: float,
    *,
    alternative: Alternative = "two-sided",
    bounds: tuple[float, float] = (0.0, 1.0),
    alpha: float = 0.05,
) -> NDArray[np.float64]:
    """Evidence against a mean of bounded values, after each of them.

    The capital of someone who starts with 1 and bets before each value that it will lie above ``mean`` (`greater`) or
    below it (`less`), with a stake set by the values before it; `two-sided` has half of its capital in each bet.
    Under the null hypothesis the chance that the capital ever reaches 1/α is at most α, whatever the distribution.

    Args:
        values: The observations in the order they came, within ``bounds``; shape [n].
        mean: The mean doubted, inside ``bounds``.
        alternative: `less` gathers evidence for a lower mean, `greater` for a higher one.
        bounds: Least and largest value there can be.
        alpha: The level the stakes are tuned for, in (0, 1); the bound holds for every other level too.

    Returns:
        The e-value after each observation, shape [n], above 0.

    Raises:
        ValueError: If a value lies outside the bounds, the mean not inside them, or a parameter is out of range.

    Source:
        I. Waudby-Smith, A. Ramdas, J. R. Stat. Soc. B 86 (2024) 1: hedged capital with predictable plug-in stakes,
        here of at most ½/mean, so that no single value takes more than half of the capital.

    >>> e_process_bounded([1, 1, 1, 1], 0.5, alternative="greater").round(3).tolist()
    [1.5, 2.25, 3.375, 5.062]
    """
    scaled, doubted = _scaled(values, mean, bounds)
    _check_alternative(alternative)
    if not 0 < alpha < 1:
        msg = f"alpha={alpha!r}; expected a level between 0 and 1, for example 0.05"
        raise ValueError(msg)
    stakes = _stakes(scaled, alpha)
    above = _log_capital(scaled - doubted, np.minimum(stakes, 0.5 / doubted))
    below = _log_capital(doubted - scaled, np.minimum(stakes, 0.5 / (1 - doubted)))
    logs = {"greater": above, "less": below, "two-sided": np.logaddexp(above, below) - math.log(2)}[alternative]
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(logs), dtype=np.float64)


def anytime_p(e_values: Sequence[float] | NDArray[np.float64] | float) -> float:
    """P-value that may be read after any observation: 1 over the largest e-value so far, at most 1.

    Raises:
        ValueError: If there is no e-value, or one is negative.

    >>> anytime_p([0.5, 40.0, 20.0])
    0.025
    """
    path = np.atleast_1d(np.asarray(e_values, dtype=float))
    if not path.size or not np.all(path >= 0):
        msg = f"e_values={e_values!r:.80}; expected at least one number of 0 or more"
        raise ValueError(msg)
    return min(1.0, 1.0 / max(1.0, float(path.max())))


def _check_alternative(alternative: str) -> None:
    if alternative not in _ALTERNATIVES:
        msg = f"alternative={alternative!r}; expected one of {', '.join(map(repr, _ALTERNATIVES))}"
        raise ValueError(msg)


def _exp(logarithm: float) -> float:
    return math.exp(logarithm) if logarithm < _LARGEST_LOG else math.inf


def _log_both(successes: int, failures: int, null: float, rest: float) -> float:
    """Logarithm of ∫₀¹ (q/null)^successes·((1−q)/rest)^failures dq.

    ``rest`` is 1 − null, given because a difference from 1 loses small numbers.
    """
    mixture = float(special.betaln(successes + 1, failures + 1))
    return mixture - successes * math.log(null) - failures * math.log(rest)


def _log_less(successes: int, failures: int, null: float, rest: float) -> float:
    """Logarithm of the same integral over the rates below ``null``, divided by their width."""
    share = float(special.betainc(successes + 1, failures + 1, null))
    if share > _UNDERFLOW:
        return _log_both(successes, failures, null, rest) + math.log(share) - math.log(null)
    return _log_less_by_series(successes, failures, null)


def _log_less_by_series(successes: int, failures: int, null: float) -> float:
    """The same where the incomplete beta function underflows, which needs a rate far above ``null``.

    I_x(a, b)·B(a, b) = x^a·(1−x)^b/a·Σ (a+b)_j/(a+1)_j·x^j (DLMF 8.17.8); the powers of x cancel, and the ratios of
    the terms fall from below 1.
    """
    first = null * (successes + failures + 2) / (successes + 2)
    terms = np.arange(math.ceil(_NOTHING_MORE / -math.log(first)))
    ratios = null * (successes + failures + 2 + terms) / (successes + 2 + terms)
    return math.log1p(-null) - math.log(successes + 1) + math.log1p(float(np.cumprod(ratios).sum()))


def _scaled(values: Sequence[float], mean: float, bounds: tuple[float, float]) -> tuple[NDArray[np.float64], float]:
    """Values and mean on the scale from 0 to 1."""
    low, high = bounds
    if not low < mean < high or not math.isfinite(high - low):
        msg = f"mean={mean!r}, bounds={bounds!r}; expected finite bounds and a mean inside them"
        raise ValueError(msg)
    given = np.asarray(values, dtype=float)
    strays = given[~((given >= low) & (given <= high))]
    if strays.size:
        msg = f"values outside the bounds {bounds!r}: {strays[:3].tolist()!r}; an e-value would mean nothing"
        raise ValueError(msg)
    return (given - low) / (high - low), (mean - low) / (high - low)


def _stakes(scaled: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """What is bet before each value: √(2·ln(1/α)/(σ̂²·t·ln(1+t))), with the variance of the values before it."""
    times = np.arange(1, scaled.size + 1)
    means = (0.5 + np.cumsum(scaled)) / (times + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (times + 1)
    before = np.concatenate([[0.25], variances[:-1]])[: scaled.size]
    return np.asarray(np.sqrt(2 * math.log(1 / alpha) / (before * times * np.log1p(times))), dtype=np.float64)


def _log_capital(gains: NDArray[np.float64], stakes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(np.log1p(stakes * gains)), dtype=np.float64)
