"""One cell of the simulation: a gate on samples of one kind and size, beside the textbook, and what falls short.

A figure falls short when a simulated share is worse than its limit by more than three of its standard errors:

- false alarms, candidates called regressed when nothing changed: at most 5 %;
- false passes, candidates that pass although their loss is exactly the margin: at most 5 %;
- power, of an alarm and of a pass: at least that of the paired t on an equal footing: of the cluster means where there
  are clusters, since of the cases it errs too often; at the same level where it keeps that level, else at the level at
  which it errs as often as the gate. (The paired t of documents has no weights, which is another question; its power is
  shown and not asked for.)

Coverage of the 95 % interval, when nothing changed and at the margin, has its allowance in the limit: at least 93 %,
and 90 % below 60 cases; less only where so few runs are made that 95 % may look like less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from gate_calls import (
    TRUSTED,
    Student,
    calls_of,
    naive_calls_of,
    paired_t,
    paired_t_of_clusters,
    point,
    shipped_changes,
    textbook_changes,
    unpaired_z,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gate_calls import Calls, Gate, Metric
    from gate_data import Floats, Sample

    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.rule import Change

    Changes = Mapping[str, Sequence[Change]]
    """By the name of the sample, of each run."""

LEVEL = 0.05
ERRORS = 3.0
"""Standard errors by which a simulated share may miss its limit."""
FEW = 60


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of the runs; NaN where there is no such figure."""

    false_alarms: float = math.nan
    false_passes: float = math.nan
    coverage: float = math.nan
    """When nothing changed."""
    coverage_at_margin: float = math.nan
    alarms: float = math.nan
    """Where there should be one."""
    passes: float = math.nan
    """Where it should pass."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One gate on one kind and number of cases."""

    gate: str
    data: str
    cases: int
    runs: int
    shipped: Figures
    student: Figures
    """Of the paired t of the cases."""
    rival: Figures
    """Of the paired t on an equal footing: its power only."""
    unpaired: Figures
    naive: Figures
    """Of two means at their word."""
    has_rival: bool = True
    """Whether the paired t answers the same question, so that its power can be asked for."""

    @property
    def short(self) -> frozenset[str]:
        """The names of the figures that fall short."""
        found, wanted = self.shipped, self.rival
        least = min(0.90 if self.cases < FEW else 0.93, TRUSTED - allowance(TRUSTED, self.runs))
        checks = {
            "false_alarms": found.false_alarms > most_errors(self.runs),
            "false_passes": found.false_passes > most_errors(self.runs),
            "coverage": found.coverage < least,
            "coverage_at_margin": found.coverage_at_margin < least,
            "alarms": self._is_weaker(found.alarms, wanted.alarms),
            "passes": self._is_weaker(found.passes, wanted.passes),
        }
        return frozenset(name for name, is_short in checks.items() if is_short)

    def _is_weaker(self, power: float, wanted: float) -> bool:
        return self.has_rival and power < wanted - allowance((power + wanted) / 2, self.runs)


def most_errors(runs: int) -> float:
    """Largest simulated share of errors that may come from the level."""
    return LEVEL + allowance(LEVEL, runs)


def allowance(share: float, runs: int) -> float:
    """By how much a simulated share may miss the true one."""
    return ERRORS * math.sqrt(share * (1 - share) / runs)


def cells_of(data: str, gates: Sequence[Gate], metric: Metric, samples: Mapping[str, Sample]) -> list[Cell]:
    """The cell of each gate on samples of one size."""
    shipped: dict[str, dict[str, list[Change]]] = {gate.name: {} for gate in gates}
    for name, sample in samples.items():
        asked = [gate for gate in gates if name in gate.samples]
        for gate_name, changes in shipped_changes(asked, metric, sample).items():
            shipped[gate_name][name] = changes
    return [_cell(data, gate, metric, samples, shipped[gate.name]) for gate in gates]


def _cell(data: str, gate: Gate, metric: Metric, samples: Mapping[str, Sample], shipped: Changes) -> Cell:
    means, student, unpaired, of_units = (
        {name: textbook_changes(gate, metric, samples[name], estimator) for name in gate.samples}
        for estimator in (point, paired_t, unpaired_z, paired_t_of_clusters if metric.is_clustered else paired_t)
    )
    truths = {name: samples[name].difference for name in gate.samples}
    runs, cases = samples["nothing"].baseline.shape[:2]
    found = figures_of(gate, _called(gate, shipped, truths))
    return Cell(
        gate=gate.name,
        data=data,
        cases=cases,
        runs=runs,
        shipped=found,
        student=figures_of(gate, _called(gate, student, truths)),
        rival=rival_of(gate, of_units, figures_of(gate, _called(gate, of_units, truths)), found),
        unpaired=figures_of(gate, _called(gate, unpaired, truths)),
        naive=figures_of(gate, {name: naive_calls_of(gate.rule, means[name], truths[name]) for name in means}),
        has_rival=not gate.is_weighted,
    )


def _called(gate: Gate, changes: Changes, truths: Mapping[str, float]) -> dict[str, Calls]:
    return {name: calls_of(gate.rule, changes[name], truths[name]) for name in changes}


def figures_of(gate: Gate, calls: Mapping[str, Calls]) -> Figures:
    """The shares, from what was said of each sample."""
    nothing, wrong = calls["nothing"], calls[gate.wrong]
    return Figures(
        false_alarms=float(nothing.alarms.mean()),
        false_passes=float(wrong.passes.mean()),
        coverage=float(nothing.covered.mean()),
        coverage_at_margin=float(wrong.covered.mean()),
        alarms=float(calls[gate.broken].alarms.mean()) if gate.broken else math.nan,
        passes=float(calls[gate.holds].passes.mean()),
    )


def rival_of(gate: Gate, changes: Changes, own: Figures, found: Figures) -> Figures:
    """The power of a paired t at its own level where it keeps it, else where it errs as often as the gate was found to.

    Args:
        gate: The gate.
        changes: What the paired t read.
        own: Its figures at its own level.
        found: The figures of the gate.
    """
    most = most_errors(len(changes["nothing"]))
    return Figures(
        alarms=own.alarms if own.false_alarms <= most else _matched_alarms(gate, changes, found.false_alarms),
        passes=own.passes if own.false_passes <= most else _matched_passes(gate, changes, found.false_passes),
    )


def _matched_alarms(gate: Gate, changes: Changes, size: float) -> float:
    if not gate.broken:
        return math.nan
    return power_at(size, *(_gains(gate, changes[name]) for name in ("nothing", gate.broken)))


def _matched_passes(gate: Gate, changes: Changes, size: float) -> float:
    return power_at(size, *(-_distances(gate, changes[name]) for name in (gate.wrong, gate.holds)))


def power_at(size: float, null: Floats, alternative: Floats) -> float:
    """Share of a statistic's values as small as only a share ``size`` of its values is under the null hypothesis.

    Of the values tied at the boundary as large a part counts as brings the share to ``size``.
    """
    boundary = np.quantile(null, size, method="inverted_cdf")
    below, tied = float(np.mean(null < boundary)), float(np.mean(null == boundary))
    part = (size - below) / tied
    return float(np.mean(alternative < boundary) + part * np.mean(alternative == boundary))


def _gains(gate: Gate, changes: Sequence[Change]) -> Floats:
    """The t statistic that raises an alarm when it is small."""
    ratios = np.array([_ratio(change.difference) for change in changes])
    return -np.abs(ratios) if gate.rule.kind == "equivalent" else ratios


def _distances(gate: Gate, changes: Sequence[Change]) -> Floats:
    """The t statistic that lets pass when it is large: the distance to the margin, or to the nearer one of two."""
    rooms = np.array([(_ratio(change.room), _ratio(change.headroom)) for change in changes])
    return rooms.min(axis=1) if gate.rule.kind == "equivalent" else rooms[:, 0]


def _ratio(estimate: Estimate) -> float:
    """Mean over error, of which only the last digits depend on the order of the cases."""
    assert isinstance(estimate, Student)
    if estimate.error:
        return round(estimate.value / estimate.error, 9)
    return math.copysign(math.inf, estimate.value) if estimate.value else 0.0
