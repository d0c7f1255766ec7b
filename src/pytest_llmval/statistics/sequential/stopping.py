"""Stopping rule: when repeated trials have shown that a pass rate lies below a bar, or reaches it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.statistics.sequential.e_process import e_process_binary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_EARLY_SHARES = (1 / 2, 1 / 3, 1 / 5, 1 / 10, 1 / 20, 1 / 50, 1 / 100, 1 / 1000, 0.0)
"""Of the level, spent before the last trial: the largest that costs no count at the last one, mostly the first."""
_ROUNDING = 1 + 1e-9
_PRECISION = 1e-12
_NEVER = -1
"""In place of a number of passes: not even none shows a low rate."""


class Finding(StrEnum):
    """What the trials so far have shown."""

    BELOW = "below"
    AT_LEAST = "at_least"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Chances:
    """What a stopping rule does at a given pass rate."""

    below: float
    """Chance of finding the rate below the bar."""
    at_least: float
    """Chance of finding that it reaches the bar."""
    trials: float
    """Mean number of trials taken."""


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """For each number of trials, the passes that decide.

    The chance of `BELOW` when the rate reaches the bar, and of `AT_LEAST` when it does not exceed it, is at most
    ``alpha`` each, over all looks together.
    """

    bar: float
    trials: int
    """Most trials that are taken."""
    alpha: float
    below: tuple[int, ...]
    """After t = 0, 1, … trials: most passes that show a rate below the bar; -1 when no number does."""
    at_least: tuple[int, ...]
    """After t = 0, 1, … trials: fewest passes that show that the bar is reached; above t when no number does."""

    def finding(self, passes: int, trials: int) -> Finding:
        """What this many passes show after this many trials, when no earlier trial decided."""
        if passes <= self.below[trials]:
            return Finding.BELOW
        return Finding.AT_LEAST if passes >= self.at_least[trials] else Finding.OPEN

    def cut(self, trials: int) -> StoppingRule:
        """The rule when only this many of its trials give a result: the same early looks, the last one here."""
        if trials == self.trials:
            return self
        shorter = replace(self, trials=trials, below=self.below[: trials + 1], at_least=self.at_least[: trials + 1])
        return shorter if self.bar == 1 else _with_last_look(shorter)

    def chances(self, rate: float) -> Chances:
        """What the rule does when each trial passes with chance ``rate``, exactly."""
        ends = _ends(self)
        weights = ends.chances(rate)
        shown = np.array([self.finding(*end) for end in zip(ends.passes, ends.trials, strict=True)])
        below, at_least = (float(weights[shown == each].sum()) for each in (Finding.BELOW, Finding.AT_LEAST))
        return Chances(below, at_least, float(weights @ ends.trials))

    def interval(self, passes: int, trials: int) -> Interval:
        """Two-sided interval of confidence 1 − 2·alpha for the rate, when the trials ended here.

        The rates under which neither so good nor so bad an end has a chance of at most ``alpha``; earlier ends are
        more extreme. Its upper end lies below the bar exactly when the finding is `BELOW`, its lower end reaches the
        bar exactly when it is `AT_LEAST`.

        Raises:
            ValueError: If the rule does not end here.

        Source:
            A. A. Tsiatis, G. L. Rosner, C. R. Mehta, Biometrics 40 (1984) 797: the stagewise order of ends.
        """
        ends = _ends(self)
        place = ends.place(passes, trials)
        low = _first_rate(lambda rate: ends.chances(rate)[place:].sum() > self.alpha)
        high = _first_rate(lambda rate: ends.chances(rate)[: place + 1].sum() <= self.alpha)
        return Interval(low, high)


@lru_cache(maxsize=64)
def stopping_rule(bar: float, trials: int, alpha: float = 0.05) -> StoppingRule:
    """The rule for at most this many trials.

    Before the last trial a one-sided e-process decides in either direction. What is left of the level is spent at the
    last trial on the exact count of passes, over all paths that did not stop. The share for the e-processes is the
    largest for which the last count decides as it would without them, so that looking early costs no power.

    A bar of 1 is a claim about exactly these trials: the first failure decides, or that all of them passed.

    Args:
        bar: The pass rate asked for, in (0, 1].
        trials: Most trials that are taken, at least 1.
        alpha: One-sided level of each of the two findings, in (0, 0.5).

    Raises:
        ValueError: If one of them is out of range.

    >>> rule = stopping_rule(0.9, 50)
    >>> rule.finding(passes=1, trials=4)
    <Finding.BELOW: 'below'>
    """
    _check(bar, alpha)
    if trials < 1:
        msg = f"trials={trials!r}; expected at least 1"
        raise ValueError(msg)
    if bar == 1:
        return _rule_for_all(trials, alpha)
    wanted = _last_counts(bar, trials, alpha)
    rule = _sequential(bar, trials, alpha, early=_EARLY_SHARES[0] * alpha)
    for share in _EARLY_SHARES[1:]:
        if rule.below[-1] >= wanted.below and rule.at_least[-1] <= wanted.at_least:
            break
        rule = _sequential(bar, trials, alpha, early=share * alpha)
    return rule


def fewest_trials(bar: float, alpha: float = 0.05) -> int:
    """How many trials are needed at least to show that a bar is reached: as many as must all pass.

    Raises:
        ValueError: If the bar is not in (0, 1] or the level not in (0, 0.5).

    >>> fewest_trials(0.9), fewest_trials(0.95)
    (29, 59)
    """
    _check(bar, alpha)
    if bar == 1:
        return 1
    count = max(1, math.floor(math.log(alpha) / math.log(bar)))
    return count if bar**count <= alpha * _ROUNDING else count + 1


def deciding_trials(passes: int, trials: int, bar: float, alpha: float = 0.05) -> int | None:
    """How many trials in all would decide, should the share that passes stay the same; None when no number would.

    >>> deciding_trials(27, 30, 0.8)
    50
    """
    rate = passes / trials
    if rate == bar:
        return None

    def decides(count: int) -> bool:
        passed, failed = rate * count, (1 - rate) * count
        if rate > bar:
            return bool(special.betainc(passed, failed + 1, bar) <= alpha * _ROUNDING)
        return bool(special.betainc(failed, passed + 1, 1 - bar) <= alpha * _ROUNDING)

    return smallest_sufficient(decides, trials + 1)


def _check(bar: float, alpha: float) -> None:
    if not (0 < bar <= 1 and 0 < alpha < 0.5):  # noqa: PLR2004 - at one half everything would be shown
        msg = f"bar={bar!r}, alpha={alpha!r}; expected a pass rate in (0, 1] and a one-sided level in (0, 0.5)"
        raise ValueError(msg)


def _rule_for_all(trials: int, alpha: float) -> StoppingRule:
    times = range(trials + 1)
    at_least = (*(t + 1 for t in times[:-1]), trials)
    return StoppingRule(1.0, trials, alpha, tuple(t - 1 for t in times), at_least)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Most and fewest passes that decide at the last trial."""

    below: int
    at_least: int


def _last_counts(bar: float, trials: int, alpha: float) -> _Counts:
    """Those of the exact test that looks once."""
    up_to = special.bdtr(np.arange(trials + 1), trials, bar)
    from_on = np.concatenate([[1.0], special.bdtrc(np.arange(trials), trials, bar)])
    return _decisive(up_to, from_on, alpha)


def _decisive(up_to: NDArray[np.float64], from_on: NDArray[np.float64], alpha: float) -> _Counts:
    """The counts whose tails, given for 0, 1, … passes, do not exceed the level."""
    below = int(np.sum(up_to <= alpha * _ROUNDING)) - 1
    return _Counts(below, len(from_on) - int(np.sum(from_on <= alpha * _ROUNDING)))


def _sequential(bar: float, trials: int, alpha: float, early: float) -> StoppingRule:
    below = [*_early_bound(bar, trials - 1, early), _NEVER]
    mirrored = [*_early_bound(1 - bar, trials - 1, early), _NEVER]
    at_least = [t - failures for t, failures in enumerate(mirrored)]
    return _with_last_look(StoppingRule(bar, trials, alpha, tuple(below), tuple(at_least)))


def _early_bound(bar: float, trials: int, level: float) -> list[int]:
    """After 0, 1, … trials: most passes at which the e-process for a lower rate has reached 1/level.

    A failure raises the e-value and a pass lowers it, so that the bound rises by 0 or 1 with each trial.
    """
    bounds = [_NEVER]
    for t in range(1, trials + 1):
        passes = bounds[-1] + 1
        is_enough = level * e_process_binary(passes, t - passes, bar, "less") >= 1
        bounds.append(passes if is_enough else bounds[-1])
    return bounds


def _with_last_look(rule: StoppingRule) -> StoppingRule:
    """The rule that spends at its last trial the level that the looks before it left."""
    ends = _ends(rule)
    weights, is_last = ends.chances(rule.bar), ends.trials == rule.trials
    up_to, from_on = np.cumsum(weights)[is_last], np.cumsum(weights[::-1])[::-1][is_last]
    first, found = int(ends.passes[is_last][0]), _decisive(up_to, from_on, rule.alpha)
    below, at_least = first + found.below, first + found.at_least
    return replace(rule, below=(*rule.below[:-1], below), at_least=(*rule.at_least[:-1], at_least))


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where the trials may end, from the worst end to the best one: early and low, last by passes, high and early."""

    trials: NDArray[np.int64]
    passes: NDArray[np.int64]
    log_paths: NDArray[np.float64]
    """Natural logarithm of the number of ways there."""

    def chances(self, rate: float) -> NDArray[np.float64]:
        """The chance of each end when each trial passes with chance ``rate``."""
        failures = self.trials - self.passes
        logs = self.log_paths + special.xlogy(self.passes, rate) + special.xlog1py(failures, -rate)
        return np.asarray(np.exp(logs), dtype=np.float64)

    def place(self, passes: int, trials: int) -> int:
        """Number of an end."""
        found = np.flatnonzero((self.passes == passes) & (self.trials == trials))
        if not found.size:
            msg = f"passes={passes!r}, trials={trials!r}: the trials do not end there"
            raise ValueError(msg)
        return int(found[0])


@lru_cache(maxsize=64)
def _ends(rule: StoppingRule) -> _Ends:
    low, high, first, ways = [], [], 0, np.zeros(1)
    for t in range(1, rule.trials):
        ways = _one_more(ways)
        if first <= rule.below[t]:
            low.append((t, first, ways[0]))
            first, ways = first + 1, ways[1:]
        top = first + len(ways) - 1
        if top >= rule.at_least[t]:
            high.append((t, top, ways[-1]))
            ways = ways[:-1]
    last = [(rule.trials, first + place, way) for place, way in enumerate(_one_more(ways))]
    trials, passes, logs = zip(*low, *last, *reversed(high), strict=True)
    return _Ends(np.array(trials), np.array(passes), np.array(logs))


def _one_more(ways: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the ways to each number of passes after another trial, given those to consecutive numbers."""
    return np.asarray(np.logaddexp(np.append(ways, -np.inf), np.append(-np.inf, ways)), dtype=np.float64)


def _first_rate(is_met: Callable[[float], bool]) -> float:
    """The smallest rate from which on a condition is met, by bisection; 1 when none meets it."""
    low, high = 0.0, 1.0
    if is_met(low):
        return low
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if is_met(middle) else (middle, high)
    return high
