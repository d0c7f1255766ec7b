"""How often trials that are looked at one by one lead to a wrong finding, with the true rate exactly at the bar.

`decide_trials` and the e-processes under it are looked at after every trial, beside the same look at a test that is
meant for a single one: the exact binomial test, and Student's t for grades. At the bar two findings are wrong: that the
rate lies below it, and that it lies above. Grades are drawn from Beta(4, 1), whose mean is .8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from pytest_llmval.statistics.sequential.e_process import e_process_binary, e_process_bounded
from pytest_llmval.verdicts.trials import Result, Trial, decide_trials
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_llmval.verdicts.verdict import Verdict

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

SEED = 20261121
LEVEL = 0.05
ERRORS = 3.0
"""Standard errors by which a simulated share may miss the level."""
PLANS = ((0.5, 20), (0.8, 50), (0.9, 50), (0.9, 100), (0.95, 100))
"""Bars, and most trials."""
LOSS = 0.15
"""How far below the bar a rate lies that should be found."""
LOOKS = 200
GRADES, MEAN_GRADE = (4.0, 1.0), 0.8
FIRST_LOOK = 5
"""At grades by Student's t, which needs a spread."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Shares of runs that come to a wrong finding."""

    below: float
    above: float


@dataclass(frozen=True, slots=True)
class Peeked:
    """What one way to look found, and what a test for one look found when it was looked at as often."""

    name: str
    looks: int
    runs: int
    peeked: Wrong
    naive: Wrong
    found: float = math.nan
    """Share of runs that find a rate that lies `LOSS` below the bar."""
    found_at_once: float = math.nan
    """The same by the exact test that looks once, after the last trial."""
    taken: float = math.nan
    """Trials taken on the average, at that rate."""

    @property
    def is_wrong_too_often(self) -> bool:
        """Whether either finding is wrong more often than its level."""
        allowed = LEVEL + ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / self.runs)
        return max(self.peeked.below, self.peeked.above) > allowed


def peek_at_trials(bar: float, planned: int, runs: int) -> Peeked:
    """`decide_trials` with the rate at the bar, and below it."""
    random = np.random.default_rng((SEED, planned, round(1000 * bar)))
    at_bar, lost = (random.random((runs, planned)) < rate for rate in (bar, bar - LOSS))
    verdicts, found = ([_verdict(row, bar) for row in answers.tolist()] for answers in (at_bar, lost))
    once = special.bdtr(lost.sum(axis=1).astype(float), planned, bar) <= LEVEL
    return Peeked(
        name=f"trials, bar {bar}",
        looks=planned,
        runs=runs,
        peeked=Wrong(_share(verdicts, Outcome.REGRESSED), _share(verdicts, Outcome.EQUIVALENT)),
        naive=_naive_binomial(at_bar, bar),
        found=_share(found, Outcome.REGRESSED),
        found_at_once=float(once.mean()),
        taken=sum(verdict.counts.cases for verdict in found) / runs,
    )


def _verdict(passed: list[bool], bar: float) -> Verdict:
    trials = [Trial(Result.PASSED if each else Result.FAILED) for each in passed]
    return decide_trials(trials, planned=len(trials), min_pass_rate=bar)


def _share(verdicts: list[Verdict], outcome: Outcome) -> float:
    return sum(verdict.outcome is outcome for verdict in verdicts) / len(verdicts)


def _naive_binomial(answers: Bools, bar: float) -> Wrong:
    passes, looks = np.cumsum(answers, axis=1).astype(float), np.arange(1, answers.shape[1] + 1)
    below, above = special.bdtr(passes, looks, bar), 1 - special.bdtr(passes - 1, looks, bar)
    above[passes == 0] = 1.0  # there is no distribution function below 0
    return Wrong(*(_ever(p_values <= LEVEL) for p_values in (below, above)))


def _ever(shown: Bools) -> float:
    """Share of the runs in which it is shown at one look or another."""
    return float(shown.any(axis=1).mean())


def peek_at_e_process(rate: float, runs: int) -> Peeked:
    """`e_process_binary` against the true rate."""
    answers = np.random.default_rng((SEED, 1)).random((runs, LOOKS)) < rate
    passes = np.cumsum(answers, axis=1)
    shown = [_reached(rate, passes, alternative) for alternative in ("less", "greater")]
    return Peeked(f"e_process_binary, rate {rate}", LOOKS, runs, Wrong(*shown), _naive_binomial(answers, rate))


def _reached(rate: float, passes: NDArray[np.intp], alternative: str) -> float:
    """Share of the runs in which the e-value ever reaches 1 over the level."""

    @cache
    def is_enough(passed: int, look: int) -> bool:
        return e_process_binary(passed, look - passed, rate, alternative) >= 1 / LEVEL

    looks = range(1, LOOKS + 1)
    return float(np.mean([any(map(is_enough, row, looks)) for row in passes.tolist()]))


def peek_at_grades(runs: int) -> Peeked:
    """`e_process_bounded` against the true mean."""
    grades = np.random.default_rng((SEED, 2)).beta(*GRADES, (runs, LOOKS))
    shown = [
        np.mean([e_process_bounded(row, MEAN_GRADE, alternative=side).max() >= 1 / LEVEL for row in grades])
        for side in ("less", "greater")
    ]
    return Peeked("e_process_bounded, Beta(4, 1)", LOOKS, runs, Wrong(*map(float, shown)), _naive_t(grades))


def _naive_t(grades: Floats) -> Wrong:
    looks = np.arange(1, grades.shape[1] + 1)
    means = np.cumsum(grades, axis=1) / looks
    spreads = np.cumsum(grades**2, axis=1) - looks * means**2
    seen = slice(FIRST_LOOK - 1, None)
    errors = np.sqrt(spreads[:, seen] / looks[seen] / (looks[seen] - 1))
    ratios, critical = (means[:, seen] - MEAN_GRADE) / errors, special.stdtrit(looks[seen] - 1, 1 - LEVEL)
    return Wrong(_ever(ratios < -critical), _ever(ratios > critical))


def peek(runs: int) -> list[Peeked]:
    """All of them."""
    return [
        *(peek_at_trials(bar, planned, runs) for bar, planned in PLANS),
        peek_at_e_process(0.5, runs),
        peek_at_e_process(0.8, runs),
        peek_at_grades(runs),
    ]


def print_peeking(rows: list[Peeked]) -> None:
    """As a table; `!` marks what is wrong too often."""
    print(
        "\nLooking after every trial, with the true rate at the bar; shares of the runs in %. Found: a rate 15 points"
    )
    print("below the bar, by looking after every trial and by one look at the end; trials: taken until then\n")
    print(
        "| looked at | looks | wrongly below | wrongly above | naive, below | naive, above | found | at once | trials |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        shares = (row.peeked.below, row.peeked.above, row.naive.below, row.naive.above, row.found, row.found_at_once)
        figures = " | ".join("-" if math.isnan(each) else f"{100 * each:.1f}" for each in shares)
        taken = "-" if math.isnan(row.taken) else f"{row.taken:.1f}"
        print(f"| {row.name}{' !' * row.is_wrong_too_often} | {row.looks} | {figures} | {taken} |", flush=True)
