"""One cell of the simulation for `decide_at_least` and `decide_at_most`: scores of one version against a bar.

The bar is the true mean, where both an alarm and a pass are errors, or lies below or above it by `GAP`. (A suite of 20
cases may be so easy that no bar lies as far above its mean; the bar is the best possible value then.) The paired t is
Student's interval of the case means here, and the naive gate compares their mean with the bar. For `decide_at_most`
scores and bar are mirrored, x → 1 − x, so that its figures are to be those of `decide_at_least`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from gate_calls import TRUSTED, Calls, Gate, Metric, calls_of, naive_calls_of, paired_t, paired_t_of_clusters, point
from gate_cells import LEVEL, Cell, Figures, figures_of, rival_of
from scipy import stats

from pytest_llmval.verdicts.margin import Margin
from pytest_llmval.verdicts.regression import NonInferiority
from pytest_llmval.verdicts.rule import Change
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from gate_calls import Estimator
    from gate_cells import Changes
    from gate_data import Floats

    from pytest_llmval.verdicts.estimand import Estimand
    from pytest_llmval.verdicts.verdict import Verdict

GAP = 0.10
OFFSETS = {"nothing": 0.0, "high": -GAP, "low": GAP}
"""Bar − true mean, by where the mean lies."""
HALF_POINT = 0.005
RULE = NonInferiority(Margin(0.0))
"""Calls a mean minus its bar as the gates do: regressed below 0, passed above."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A shipped gate that holds a version against a bar."""

    metric: Metric
    estimand: Estimand = "population"

    @property
    def gate(self) -> Gate:
        """Its name, and the samples that show what it does."""
        name = "at_least" if self.metric.higher_is_better else "at_most"
        suite = ", this suite" if self.estimand == "suite" else ""
        return Gate(name + suite, RULE, wrong="nothing", holds="high", broken="low")

    def verdicts(self, values: Floats, bars: Floats, alpha: float = 0.05) -> list[Verdict]:
        """On each run, from answers ``[runs, cases, trials]`` of which more is better, and bars ``[runs]``."""
        decide, shown, held = decide_at_least, values, bars
        if not self.metric.higher_is_better:
            decide, shown, held = decide_at_most, 1 - values, 1 - bars
        asked = zip(map(self.metric.scores, shown), held.tolist(), strict=True)
        return [decide(scores, bar, alpha=alpha, estimand=self.estimand) for scores, bar in asked]

    def coverage(self, values: Floats, truths: Floats) -> float:
        """Share of the 95 % intervals that hold the true mean."""
        verdicts = self.verdicts(values, truths, alpha=(1 - TRUSTED) / 2)
        # The bar of a verdict is the true mean here, mirrored when the scores are.
        return sum(verdict.low <= verdict.threshold <= verdict.high for verdict in verdicts) / len(verdicts)


def bar_cell(data: str, bar: Bar, values: Floats, truths: Floats) -> Cell:
    """From answers ``[runs, cases, trials]`` and their true means ``[runs]``."""
    bars = {name: np.minimum(truths + offset, 1.0) for name, offset in OFFSETS.items()}
    means, student, of_units = (
        {name: _changes(values, bars[name], estimator) for name in OFFSETS}
        for estimator in (point, paired_t, paired_t_of_clusters if bar.metric.is_clustered else paired_t)
    )
    shipped = figures_of(bar.gate, {name: _calls(bar.verdicts(values, bars[name])) for name in OFFSETS})
    found = replace(shipped, coverage=bar.coverage(values, truths), coverage_at_margin=math.nan)
    return Cell(
        gate=bar.gate.name,
        data=data,
        cases=values.shape[1],
        runs=values.shape[0],
        shipped=found,
        student=_student_figures(bar, student),
        rival=rival_of(bar.gate, of_units, _student_figures(bar, of_units), found),
        unpaired=Figures(),
        naive=figures_of(bar.gate, {name: naive_calls_of(RULE, means[name], 0.0) for name in OFFSETS}),
    )


def _student_figures(bar: Bar, changes: Changes) -> Figures:
    return figures_of(bar.gate, {name: calls_of(RULE, changes[name], 0.0) for name in OFFSETS})


def _calls(verdicts: list[Verdict]) -> Calls:
    return Calls(
        alarms=np.array([verdict.outcome is Outcome.REGRESSED for verdict in verdicts]),
        passes=np.array([verdict.passed for verdict in verdicts]),
        covered=np.full(len(verdicts), fill_value=False),  # counted by `Bar.coverage`, at another level
    )


def _changes(values: Floats, bars: Floats, estimator: Estimator) -> list[Change]:
    """Mean − bar of each run, as a difference that has to be above 0."""
    means = values.mean(axis=2)
    found = estimator(means, np.broadcast_to(bars[:, None], means.shape))
    return [Change(each, each, each, baseline=0.0) for each in found]


@dataclass(frozen=True, slots=True)
class ExactErrors:
    """Of a gate asked about answers that pass with a chance of exactly the bar."""

    gate: str
    bar: float
    cases: int
    false_alarms: float
    false_passes: float

    @property
    def is_wrong_too_often(self) -> bool:
        """Whether either error exceeds the level by half a point or more."""
        return max(self.false_alarms, self.false_passes) >= LEVEL + HALF_POINT


def exact_errors(bar: Bar, rate: float, cases: int) -> ExactErrors:
    """By asking about each number of passes, and adding up the binomial chances."""
    passes = np.arange(cases + 1)
    values = (np.arange(cases) < passes[:, None]).astype(float)[..., None]
    verdicts = bar.verdicts(values, np.full(cases + 1, rate))
    calls, chances = _calls(verdicts), stats.binom.pmf(passes, cases, rate)
    errors = float(chances[calls.alarms].sum()), float(chances[calls.passes].sum())
    return ExactErrors(bar.gate.name, rate, cases, *errors)
