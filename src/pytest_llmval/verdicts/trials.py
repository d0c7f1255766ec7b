"""Trials: whether a test that is run several times passes often enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_llmval.statistics.sequential.stopping import Finding, deciding_trials, fewest_trials, stopping_rule
from pytest_llmval.verdicts.comparable import LARGEST_LOST_SHARE
from pytest_llmval.verdicts.verdict import Counts, Outcome, Verdict
from pytest_llmval.verdicts.wording import confidence_text, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.statistics.intervals import Interval
    from pytest_llmval.statistics.sequential.stopping import StoppingRule

METRIC = "pass rate over trials"

_OUTCOMES = {
    Finding.BELOW: Outcome.REGRESSED,
    Finding.AT_LEAST: Outcome.EQUIVALENT,
    Finding.OPEN: Outcome.INCONCLUSIVE,
}


class Result(StrEnum):
    """How one trial ended."""

    PASSED = "passed"
    FAILED = "failed"
    LOST = "lost"
    """A server failed: nothing is known of the model."""
    UNDECIDED = "undecided"
    """A gate within the test was not decided, so that nothing is known either."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the test."""

    result: Result
    reason: str = ""
    """Why it did not pass, on one line."""

    @property
    def is_scored(self) -> bool:
        """Whether it says something about the pass rate."""
        return self.result in (Result.PASSED, Result.FAILED)


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a test asks for; fixed before its first trial."""

    planned: int
    """Most trials that are run."""
    min_pass_rate: float = 1.0
    """The bar, in (0, 1]."""
    alpha: float = 0.05
    """One-sided level of calling the bar reached or not reached."""

    @property
    def rule(self) -> StoppingRule:
        """When it is decided."""
        return stopping_rule(self.min_pass_rate, self.planned, self.alpha)


def is_settled(trials: Sequence[Trial], plan: TrialPlan) -> bool:
    """Whether no further trial is run: the bar is decided, too many trials are lost, or all are run."""
    return _settled_after(trials, plan) is not None


def decide_trials(
    trials: Sequence[Trial],
    *,
    planned: int,
    min_pass_rate: float = 1.0,
    alpha: float = 0.05,
    alike: bool = False,
) -> Verdict:
    """The verdict on "the test passes in a share of at least ``min_pass_rate`` of its trials".

    Outcomes: `equivalent` when that is shown, `regressed` when it is shown not to hold, else `inconclusive`;
    `invalid` when more than 5 % of the planned trials gave no result. Trials after the one that decided are left out.

    Args:
        trials: In the order they ran; the last one ends the test, whatever was planned.
        planned: Most trials, as fixed before the first.
        min_pass_rate: The bar, in (0, 1]; 1 speaks of exactly these trials, all of which must pass.
        alpha: One-sided level, in (0, 0.5).
        alike: Whether all that was asked is greedy or fixes its own seed, so that the trials hardly differ.

    Returns:
        A verdict of kind `trials` whose counts count trials.

    Raises:
        ValueError: If there is no trial, or the bar or the level is out of range.
    """
    if not trials:
        msg = f"no trials of {planned!r} planned ones; expected at least 1"
        raise ValueError(msg)
    plan = TrialPlan(planned, min_pass_rate, alpha)
    taken = _Taken(tuple(trials[: _settled_after(trials, plan)]), plan)
    verdict = _without_estimate(taken) if taken.obstacle else _decided(taken)
    notes = [verdict.reason, taken.loss, _ALIKE if alike and taken.scored else ""]
    return replace(verdict, reason="; ".join(filter(None, notes)), evidence=_evidence(taken, alike=alike))


_ALIKE = "all requests are greedy or fix their own seed, so that the trials repeat one another"


def _settled_after(trials: Sequence[Trial], plan: TrialPlan) -> int | None:
    """How many trials settled it, None when they did not."""
    rule, passes, scored = plan.rule, 0, 0
    for number, trial in enumerate(trials, start=1):
        passes, scored = passes + (trial.result is Result.PASSED), scored + trial.is_scored
        is_lost = number - scored > LARGEST_LOST_SHARE * plan.planned
        if is_lost or rule.finding(passes, scored) is not Finding.OPEN or number == plan.planned:
            return number
    return None


@dataclass(frozen=True, slots=True)
class _Taken:
    """The trials a verdict rests on."""

    trials: tuple[Trial, ...]
    plan: TrialPlan

    @property
    def passes(self) -> int:
        return sum(trial.result is Result.PASSED for trial in self.trials)

    @property
    def scored(self) -> int:
        return sum(trial.is_scored for trial in self.trials)

    @property
    def lost(self) -> int:
        return len(self.trials) - self.scored

    @property
    def bar(self) -> str:
        return f"{self.plan.min_pass_rate:.6g}"

    @property
    def asks_for_all(self) -> bool:
        return self.plan.min_pass_rate == 1

    @property
    def obstacle(self) -> str:
        """Why there is no estimate, empty when there is one."""
        if self.lost > LARGEST_LOST_SHARE * self.plan.planned:
            return f"more than {LARGEST_LOST_SHARE:.0%} of {counted(self.plan.planned, 'planned trial')} are lost"
        return "" if self.scored else "no trial is left"

    @property
    def is_early(self) -> bool:
        """Whether it was decided before the last planned trial."""
        finding = self.plan.rule.finding(self.passes, self.scored)
        return len(self.trials) < self.plan.planned and finding is not Finding.OPEN

    @property
    def rule(self) -> StoppingRule:
        return self.plan.rule if self.is_early else self.plan.rule.cut(self.scored)

    @property
    def loss(self) -> str:
        """The sentence for trials without a result, empty when there is none."""
        if not self.lost:
            return ""
        return f"{counted(self.lost, 'trial')} gave no result, {self.last(Result.LOST, Result.UNDECIDED)}"

    def last(self, *results: Result) -> str:
        """Number and reason of the last trial that ended so: `trial 7: AssertionError`."""
        number, trial = max((place, each) for place, each in enumerate(self.trials, 1) if each.result in results)
        return f"trial {number}: {trial.reason}"


def _without_estimate(taken: _Taken) -> Verdict:
    results = [trial.result for trial in taken.trials]
    lost, undecided = results.count(Result.LOST), results.count(Result.UNDECIDED)
    return Verdict(
        outcome=Outcome.INVALID,
        metric=METRIC,
        kind="trials",
        headline=f"{METRIC} cannot be decided",
        reason=taken.obstacle,
        counts=Counts(cases=len(results), compared=taken.scored, failed=lost, unscored=undecided),
        threshold=taken.plan.min_pass_rate,
        alpha=taken.plan.alpha,
        alpha_adjusted=taken.plan.alpha,
    )


def _decided(taken: _Taken) -> Verdict:
    finding = taken.rule.finding(taken.passes, taken.scored)
    interval = taken.rule.interval(taken.passes, taken.scored)
    needed = _needed(taken) if finding is Finding.OPEN else None
    return replace(
        _without_estimate(taken),
        outcome=_OUTCOMES[finding],
        headline=_headline(taken, interval),
        reason=_reason(taken, finding, interval, needed),
        candidate=taken.passes / taken.scored,
        low=interval.low,
        high=interval.high,
        method="sequential_exact",
        needed_cases=needed,
    )


def _needed(taken: _Taken) -> int | None:
    """How many trials would decide if the pass rate stays the same; for a bar of 1 as many as were planned."""
    if taken.asks_for_all:
        return taken.plan.planned
    return deciding_trials(taken.passes, taken.scored, taken.plan.min_pass_rate, taken.plan.alpha)


def _headline(taken: _Taken, interval: Interval) -> str:
    share = f"{taken.passes} of {counted(taken.scored, 'trial')} passed"
    limits = f"{confidence_text(taken.plan.alpha)} CI [{interval.low:.3f}, {interval.high:.3f}]"
    early = f"; decided after {len(taken.trials)} of at most {taken.plan.planned}" if taken.is_early else ""
    return f"{share} ({taken.passes / taken.scored:.3f}, {limits}), bar {taken.bar}{early}"


def _reason(taken: _Taken, finding: Finding, interval: Interval, needed: int | None) -> str:
    if finding is Finding.AT_LEAST:
        return ""
    if finding is Finding.BELOW:
        shown = "not every trial passed" if taken.asks_for_all else f"shown below the bar of {taken.bar}"
        return f"{shown}; {taken.last(Result.FAILED)}"
    return "not shown that every trial passes" if taken.asks_for_all else _doubt(taken, interval, needed)


def _doubt(taken: _Taken, interval: Interval, needed: int | None) -> str:
    fewest = fewest_trials(taken.plan.min_pass_rate, taken.plan.alpha)
    if fewest > taken.scored:
        return f"{counted(taken.scored, 'trial')} cannot show {taken.bar} even if all pass; {fewest} can"
    would = f"about {counted(needed, 'trial')} would" if needed else "more trials would not"
    doubt = f"not shown to reach the bar of {taken.bar}: the interval reaches {interval.low:.3f}"
    return f"{doubt}; {would} decide it if the pass rate stays the same"


def _evidence(taken: _Taken, *, alike: bool) -> dict[str, object]:
    return {
        "kind": "trials",
        "metric": METRIC,
        "parameters": asdict(taken.plan) | {"alike": alike},
        "trials": [asdict(trial) | {"result": trial.result.value} for trial in taken.trials],
    }


def trial_from_dict(fields: dict[str, str]) -> Trial:
    """A trial as a verdict's evidence holds it."""
    return Trial(Result(fields["result"]), fields["reason"])
