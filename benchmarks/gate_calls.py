"""What a gate that compares two versions says in each run of a sample, beside the textbook.

A shipped gate is asked through `comparison.read` and its rule, which is what `decide_*` does between pairing the cases
and wording the verdict; `first_difference` asks `decide_*` itself. The others are estimates that are put into the same
rule: Student's interval of the case means, which takes every case as independent, and the normal interval of two
independent means. The naive gate takes two means at their word: a candidate below the baseline is an alarm, and a loss
below the margin passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from gate_data import CLUSTER_SIZE, clusters

from pytest_llmval.scoring.score import Kind, Scores
from pytest_llmval.statistics.intervals import Interval, t_interval
from pytest_llmval.verdicts.comparison import Question, read
from pytest_llmval.verdicts.pairing import Pair
from pytest_llmval.verdicts.rule import Change
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gate_data import Floats, Sample
    from numpy.typing import NDArray

    from pytest_llmval.verdicts.estimand import Estimand
    from pytest_llmval.verdicts.margin import Margin
    from pytest_llmval.verdicts.rule import Rule
    from pytest_llmval.verdicts.verdict import Verdict

TRUSTED = 0.95
"""Two-sided confidence of the intervals whose coverage is counted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How the answers of a run become scores."""

    kind: Kind
    is_clustered: bool = False
    higher_is_better: bool = True

    def scores(self, values: Floats, weights: Floats | None = None) -> Scores:
        """Of one version in one run, from values ``[cases, trials]`` and weights ``[cases]``."""
        cases, trials = values.shape
        return Scores(
            "metric",
            ids=tuple(f"case {place}" for place in range(cases)),
            values=tuple(values.mean(axis=1).tolist()),
            kind=self.kind,
            bounds=None if self.kind == "unbounded" else (0.0, 1.0),
            higher_is_better=self.higher_is_better,
            clusters=clusters(cases) if self.is_clustered else None,
            trials=trials,
            by_trial=tuple(map(tuple, values.tolist())) if trials > 1 else None,
            weights=None if weights is None else tuple(weights.tolist()),
        )

    def sides(self, sample: Sample, run: int) -> tuple[Scores, Scores]:
        """Candidate and baseline."""
        weights = None if sample.weights is None else sample.weights[run]
        return self.scores(sample.candidate[run], weights), self.scores(sample.baseline[run], weights)


@dataclass(frozen=True, slots=True)
class Gate:
    """A shipped gate, and the samples that show what it does."""

    name: str
    rule: Rule
    wrong: str = "margin"
    """Where passing is wrong."""
    holds: str = "nothing"
    """Where it should pass."""
    broken: str = "loss"
    """Where it should raise an alarm; empty where that is not counted."""
    estimand: Estimand = "population"
    is_weighted: bool = False

    def question(self, candidate: Scores, baseline: Scores) -> Question:
        """As `decide_*` asks it."""
        return Question(candidate, baseline, self.rule, {}, estimand=self.estimand, weighted=self.is_weighted)

    @property
    def samples(self) -> frozenset[str]:
        """The names of the samples."""
        return frozenset({"nothing", self.wrong, self.holds, self.broken} - {""})


@dataclass(frozen=True, slots=True)
class Calls:
    """What a gate said, one entry a run."""

    alarms: NDArray[np.bool_]
    passes: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    """Whether the 95 % interval held the true difference."""


@dataclass(frozen=True, slots=True)
class Student:
    """A mean with the interval of a textbook; with an error of 0 it is taken at its word."""

    value: float
    error: float
    degrees: float
    method: str = "textbook"

    def interval(self, confidence: float, cases: float | None = None) -> Interval:
        """Symmetric, of these cases."""
        assert cases is None
        return t_interval(self.value, self.error, self.degrees, confidence)


Estimator = Callable[["Floats", "Floats"], "list[Student]"]
"""The mean of plus − minus ``[runs, cases]`` in each run."""


def shipped_changes(gates: Sequence[Gate], metric: Metric, sample: Sample) -> dict[str, list[Change]]:
    """What each gate, by its name, reads off each run."""
    found: dict[str, list[Change]] = {gate.name: [] for gate in gates}
    template = metric.sides(sample, 0)
    for run, pairs in enumerate(_pairs(sample)):
        read_so_far: dict[Margin, Change] = {}
        for gate in gates:
            margin = gate.rule.margin
            if margin not in read_so_far:
                # Only the trials of a case are looked up in the scores; everything else is in the pairs.
                sides = metric.sides(sample, run) if gate.estimand == "suite" else template
                read_so_far[margin] = read(gate.question(*sides), pairs).change
            found[gate.name].append(read_so_far[margin])
    return found


def _pairs(sample: Sample) -> Iterator[tuple[Pair, ...]]:
    """Of each run."""
    cases = sample.baseline.shape[1]
    ids, groups = [f"case {place}" for place in range(cases)], clusters(cases)
    weights = np.ones(sample.baseline.shape[:2]) if sample.weights is None else sample.weights
    for after, before, heavy in zip(_means(sample.candidate), _means(sample.baseline), weights.tolist(), strict=True):
        rows = zip(ids, after, before, groups, heavy, strict=True)
        yield tuple([Pair(name, new, old, "", group, False, weight) for name, new, old, group, weight in rows])  # noqa: FBT003


def _means(values: Floats) -> list[list[float]]:
    return values.mean(axis=2).tolist()


def textbook_changes(gate: Gate, metric: Metric, sample: Sample, estimator: Estimator) -> list[Change]:
    """What another estimate reads off each run."""
    sign = 1 if metric.higher_is_better else -1
    ours, theirs = sign * sample.candidate.mean(axis=2), sign * sample.baseline.mean(axis=2)
    allowance = gate.rule.margin.allowance(theirs)
    readings = estimator(ours, theirs), estimator(ours, theirs - allowance), estimator(theirs + allowance, ours)
    return [Change(*each, baseline=0.0) for each in zip(*readings, strict=True)]


def paired_t(plus: Floats, minus: Floats) -> list[Student]:
    """Every case independent."""
    changes, cases = plus - minus, plus.shape[1]
    errors = changes.std(axis=1, ddof=1) / cases**0.5
    return [Student(*each, cases - 1) for each in zip(changes.mean(axis=1).tolist(), errors.tolist(), strict=True)]


def paired_t_of_clusters(plus: Floats, minus: Floats) -> list[Student]:
    """Every cluster independent; clusters are of one size."""
    return paired_t(*(each.reshape(len(each), -1, CLUSTER_SIZE).mean(axis=2) for each in (plus, minus)))


def unpaired_z(plus: Floats, minus: Floats) -> list[Student]:
    """As if the sides had answered different cases."""
    variances = plus.var(axis=1, ddof=1) + minus.var(axis=1, ddof=1)
    values, errors = plus.mean(axis=1) - minus.mean(axis=1), np.sqrt(variances / plus.shape[1])
    return [Student(*each, np.inf) for each in zip(values.tolist(), errors.tolist(), strict=True)]


def point(plus: Floats, minus: Floats) -> list[Student]:
    """Two means at their word."""
    return [Student(value, 0.0, np.inf) for value in (plus - minus).mean(axis=1).tolist()]


def calls_of(rule: Rule, changes: Sequence[Change], truth: float) -> Calls:
    """What a rule makes of each run's change."""
    outcomes = [rule.outcome(change) for change in changes]
    intervals = [change.difference.interval(TRUSTED) for change in changes]
    return Calls(
        alarms=np.array([outcome is Outcome.REGRESSED for outcome in outcomes]),
        passes=np.array([outcome.passes for outcome in outcomes]),
        covered=np.array([each.low <= truth <= each.high for each in intervals]),
    )


def naive_calls_of(rule: Rule, changes: Sequence[Change], truth: float) -> Calls:
    """A candidate below the baseline is an alarm, whatever the margin."""
    alarms = np.array([change.difference.value < 0 for change in changes])
    return replace(calls_of(rule, changes, truth), alarms=alarms)


def first_difference(
    gate: Gate, decide: Callable[[Scores, Scores], Verdict], metric: Metric, sample: Sample, runs: int
) -> int | None:
    """The first of so many runs in which `decide_*` says something else than the gate was taken to say."""
    few = sample.first(runs)
    for run, change in enumerate(shipped_changes([gate], metric, few)[gate.name]):
        if decide(*metric.sides(sample, run)).outcome is not gate.rule.outcome(change):
            return run
    return None
