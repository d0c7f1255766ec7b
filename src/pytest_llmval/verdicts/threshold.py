"""Threshold: whether one version is shown to reach a bar."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.estimand import check_estimand, missing_trials, more_of
from pytest_llmval.verdicts.estimate import (
    LeastFavourable,
    PassRate,
    clustered_mean_of,
    mean_of,
    spread_of,
    suite_mean_of,
)
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.failed import Trials, best_of, imaginable
from pytest_llmval.verdicts.must_pass import broken_reason, unknown_reason
from pytest_llmval.verdicts.pairing import Column
from pytest_llmval.verdicts.rule import check_level, would_decide
from pytest_llmval.verdicts.verdict import CaseChange, Counts, Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, bar_headline, invalid_headline, naming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.verdicts.estimand import Estimand
    from pytest_llmval.verdicts.estimate import Estimate

    Floats = NDArray[np.float64]

_SHOWN_CASES = 5


def decide_at_least(
    scores: Scores, minimum: float, *, alpha: float = 0.05, estimand: Estimand = "population"
) -> Verdict:
    """The verdict on "the mean of a higher-is-better metric is at least ``minimum``".

    Outcomes: `equivalent` when the interval's lower end reaches the bar, `regressed` when its upper end lies below
    the bar (the word covers every gate that is shown not to hold), else `inconclusive`; `invalid` above 5 % lost.
    A case the model failed enters with the worst bound; a case without a score is left out; both count as lost.

    Args:
        scores: Scores of the version under test.
        minimum: The bar, in the metric's unit and within its bounds.
        alpha: One-sided level, in (0, 0.5); the interval has confidence 1 − 2·alpha.
        estimand: `population`, cases like these, or `suite`, exactly these, where only trials vary.

    Returns:
        A verdict of kind `at_least`; `low` and `high` are those of the mean itself.

    Raises:
        TypeError: If the bar is no number.
        ValueError: If lower is better, the bar lies outside the bounds, or the level is impossible.
    """
    _check_bar(scores, minimum)
    if not scores.higher_is_better:
        msg = f"{scores.name}: lower is better, so a minimum is no bar; use assert_at_most(scores, {minimum!r})"
        raise ValueError(msg)
    return _decide(_Gate(scores, minimum, alpha, estimand))


def decide_at_most(
    scores: Scores, maximum: float, *, alpha: float = 0.05, estimand: Estimand = "population"
) -> Verdict:
    """The verdict on "the mean of a lower-is-better metric is at most ``maximum``".

    As `decide_at_least` with the directions exchanged; the verdict's kind is `at_most`.

    Raises:
        TypeError: If the bar is no number.
        ValueError: If higher is better, the bar lies outside the bounds, or the level is impossible.
    """
    _check_bar(scores, maximum)
    if scores.higher_is_better:
        msg = f"{scores.name}: higher is better, so a maximum is no bar; use assert_at_least(scores, {maximum!r})"
        raise ValueError(msg)
    return _decide(_Gate(scores, maximum, alpha, estimand))


def _check_bar(scores: Scores, bar: object) -> None:
    """Refuse what is no number, such as the baseline's scores."""
    if isinstance(bar, bool) or not isinstance(bar, int | float):
        msg = f"{scores.name}: bar {bar!r:.60}; expected a number, in the unit of the metric"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class _Gate:
    """A metric and its bar."""

    scores: Scores
    bar: float
    alpha: float
    estimand: Estimand

    def __post_init__(self) -> None:
        """Refuse a level, an estimand or a bar that cannot be meant."""
        check_level(self.alpha)
        check_estimand(self.estimand)
        low, high = self.scores.bounds or (float("-inf"), float("inf"))
        if not (low <= self.bar <= high and math.isfinite(self.bar)):
            msg = f"{self.scores.name}: bar {self.bar!r}; expected a number within its bounds [{low}, {high}]"
            raise ValueError(msg)

    @property
    def kind(self) -> str:
        return "at_least" if self.scores.higher_is_better else "at_most"

    @property
    def is_clustered(self) -> bool:
        return self.estimand == "population" and self.scores.clusters is not None

    @property
    def is_binary(self) -> bool:
        return self.scores.kind == "binary" and self.scores.trials == 1

    @property
    def trials(self) -> int:
        """Values of a case that matter."""
        return self.scores.trials if self.estimand == "suite" else 1

    def turned(self, value: float) -> float:
        """The value with its sign turned so that larger is better; turning twice restores it."""
        return value if self.scores.higher_is_better else -value


@dataclass(frozen=True, slots=True)
class _Case:
    """One case that enters the mean."""

    id: str
    value: float
    trials: Trials
    """The value of each trial where these matter, else the value alone."""
    cluster: str
    failure: str = ""


def _decide(gate: _Gate) -> Verdict:
    cases, counts = _accounted(gate)
    found = _obstacles(gate, cases, counts)
    blank = _blank(gate, counts)
    if found:
        return replace(blank, headline=invalid_headline(gate.scores), reason="; ".join(found))
    verdict = _with_outcome(blank, gate, LeastFavourable(_readings(gate, cases)))
    return _with_must_pass(replace(verdict, worst=_worst_cases(gate, cases)), gate)


def _accounted(gate: _Gate) -> tuple[tuple[_Case, ...], Counts]:
    """The cases that enter the mean, and what became of the others."""
    scores, column = gate.scores, Column(gate.scores)
    failed = [value for value in scores.values if isinstance(value, Unscored) and value.failed]
    unscored = sum(isinstance(value, Unscored) for value in scores.values) - len(failed)
    cases = []
    for case_id, value, cluster in zip(scores.ids, scores.values, scores.clusters or scores.ids, strict=True):
        if not isinstance(value, Unscored):
            trials = column.trials(case_id) if gate.estimand == "suite" else (float(value),)
            cases.append(_Case(case_id, float(value), trials, cluster))
        elif value.failed and scores.worst is not None:
            cases.append(_Case(case_id, scores.worst, (scores.worst,) * gate.trials, cluster, value.reason or "failed"))
    return tuple(cases), Counts(len(scores.ids), len(cases), failed=len(failed), unscored=unscored)


def _readings(gate: _Gate, cases: tuple[_Case, ...]) -> tuple[Estimate, ...]:
    """With the failures at the worst bound; if any, also without them, and with all they might have been."""
    answered = tuple(case for case in cases if not case.failure)
    if len(answered) == len(cases):
        return (_estimate(gate, cases),)
    expected = (sum(case.value for case in answered) / len(answered),) * gate.trials
    others = [_imagining(cases, imagined(expected)) for imagined in imaginable(gate.scores, gate.trials)]
    return tuple(_estimate(gate, each) for each in (cases, answered, *others))


def _imagining(cases: Sequence[_Case], trials: Trials) -> list[_Case]:
    """The cases, with these values in place of a failure."""
    return [replace(case, trials=trials) if case.failure else case for case in cases]


def _obstacles(gate: _Gate, cases: Sequence[_Case], counts: Counts) -> list[str]:
    scores, answered = gate.scores, [case for case in cases if not case.failure]
    if not answered:
        why = next((value.reason for value in scores.values if isinstance(value, Unscored)), "")
        lost = f"{counts.failed} failed, {counts.unscored} unscored of {counts.cases}"
        return [f"no case has a score ({lost}{why and ': ' + why})"]
    homeless = _failed_ids(scores) if scores.worst is None else []
    clusters = [case.cluster for case in answered] if gate.is_clustered else None
    return [
        *comparable.infinite_values(scores),
        *missing_trials(gate.estimand, scores),
        *([f"the candidate failed and the metric has no worst value to count: {naming(homeless)}"] if homeless else []),
        *comparable.too_much_lost(counts),
        *comparable.too_few_clusters(clusters),
    ]


def _failed_ids(scores: Scores) -> list[str]:
    rows = zip(scores.ids, scores.values, strict=True)
    return [case_id for case_id, value in rows if isinstance(value, Unscored) and value.failed]


def _estimate(gate: _Gate, cases: Sequence[_Case]) -> Estimate:
    """The mean, turned so that larger is better."""
    trials = [[gate.turned(value) for value in case.trials] for case in cases]
    values = np.array([each[0] for each in trials])
    if gate.estimand == "suite":
        limits = _limits(gate, np.concatenate(trials))
        return suite_mean_of(trials, [(0.0,) * len(each) for each in trials], limits)
    limits = _limits(gate, values)
    if gate.is_clustered:
        return clustered_mean_of(values, [case.cluster for case in cases], limits)
    if gate.is_binary:
        return PassRate(int((values == limits.high).sum()), values.size, limits)
    return mean_of(values, limits)


def _limits(gate: _Gate, values: Floats) -> Interval:
    """Least and largest mean there can be; as far as the spread of the values where the metric has no bounds."""
    if gate.scores.bounds is not None:
        low, high = sorted(gate.turned(bound) for bound in gate.scores.bounds)
        return Interval(low, high)
    mean, spread = float(values.mean()), spread_of(values)
    return Interval(mean - spread, mean + spread)


def _with_outcome(blank: Verdict, gate: _Gate, estimate: Estimate) -> Verdict:
    bar, interval = gate.turned(gate.bar), estimate.interval(1 - 2 * gate.alpha)
    outcome = _outcome(interval, bar)
    is_suite = gate.estimand == "suite"
    present = gate.scores.trials if is_suite else blank.counts.compared
    needed = _needed(gate, estimate, bar, present) if outcome is Outcome.INCONCLUSIVE else None
    low, high = sorted((gate.turned(interval.low), gate.turned(interval.high)))
    shown, mean = Interval(low, high), gate.turned(estimate.value)
    return replace(
        blank,
        outcome=outcome,
        headline=bar_headline(gate.scores, mean, shown, n=blank.counts.compared, bar=gate.bar, alpha=gate.alpha),
        reason=_reason(gate, outcome, shown, needed),
        candidate=mean,
        low=low,
        high=high,
        method=estimate.method,
        needed_cases=None if is_suite else needed,
        evidence=blank.evidence | {"statistics": {"method": estimate.method}},
    )


def _outcome(interval: Interval, bar: float) -> Outcome:
    if interval.low >= bar:
        return Outcome.EQUIVALENT
    return Outcome.REGRESSED if interval.high < bar else Outcome.INCONCLUSIVE


def _needed(gate: _Gate, estimate: Estimate, bar: float, present: int) -> int | None:
    def settles(cases: int) -> bool:
        return _outcome(estimate.interval(1 - 2 * gate.alpha, cases), bar) is not Outcome.INCONCLUSIVE

    return smallest_sufficient(settles, present + 1) if estimate.value != bar else None


def _reason(gate: _Gate, outcome: Outcome, shown: Interval, needed: int | None) -> str:
    scale, above = Scale.of(gate.scores), gate.scores.higher_is_better
    bar = scale.with_unit(scale.value(gate.bar))
    if outcome is Outcome.REGRESSED:
        return f"shown {'below' if above else 'above'} the bar of {bar}"
    if outcome is Outcome.EQUIVALENT:
        return ""
    end = scale.value(shown.low if above else shown.high)
    would = would_decide(needed, more_of(gate.estimand))
    side = "at or above" if above else "at or below"
    doubt = f"not shown {side} the bar of {bar}: the interval reaches {end}"
    return f"{doubt}; {would} if the value stays the same"


def _with_must_pass(verdict: Verdict, gate: _Gate) -> Verdict:
    """A binary must-pass case has to pass; for other scores there is no bar for one case."""
    scores, best = gate.scores, best_of(gate.scores)
    flagged = [
        (case_id, value)
        for case_id, value, must in zip(scores.ids, scores.values, scores.must_pass or (), strict=False)
        if must and gate.is_binary
    ]
    broken = [name for name, value in flagged if (value.failed if isinstance(value, Unscored) else value != best)]
    if broken:
        reason = "; ".join(filter(None, (broken_reason(broken), verdict.reason)))
        return replace(verdict, outcome=Outcome.REGRESSED, reason=reason, needed_cases=None)
    unknown = tuple(name for name, value in flagged if isinstance(value, Unscored))
    if unknown and verdict.outcome.passes:
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=unknown_reason(unknown))
    return verdict


def _worst_cases(gate: _Gate, cases: Sequence[_Case]) -> tuple[CaseChange, ...]:
    """The cases with the least value, worst first; none that is as good as can be."""
    flawed = [case for case in cases if case.failure or case.value != best_of(gate.scores)]
    flawed.sort(key=lambda case: gate.turned(case.value))
    column = Column(gate.scores)
    return tuple(_change(case, column) for case in flawed[:_SHOWN_CASES])


def _change(case: _Case, column: Column) -> CaseChange:
    note = column.note(case.id)
    return CaseChange(
        id=case.id,
        baseline=None,
        candidate=None if case.failure else case.value,
        prompt=note.prompt,
        expected=note.expected,
        candidate_answer=f"no answer: {case.failure}" if case.failure else note.answer,
    )


def _blank(gate: _Gate, counts: Counts) -> Verdict:
    """What is known whatever the scores say."""
    return Verdict(
        outcome=Outcome.INVALID,
        metric=gate.scores.name,
        kind=gate.kind,
        headline="",
        counts=counts,
        threshold=gate.bar,
        alpha=gate.alpha,
        alpha_adjusted=gate.alpha,
        evidence=_evidence(gate),
    )


def _evidence(gate: _Gate) -> dict[str, Any]:
    bar = "minimum" if gate.scores.higher_is_better else "maximum"
    return {
        "kind": gate.kind,
        "parameters": {bar: gate.bar, "alpha": gate.alpha, "estimand": gate.estimand},
        "candidate": scores_to_dict(gate.scores),
    }
