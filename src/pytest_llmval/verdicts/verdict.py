"""Verdict: the outcome of a gate with the evidence it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What a gate found. Only the first three pass."""

    IMPROVED = "improved"
    EQUIVALENT = "equivalent"
    WORSE_WITHIN_MARGIN = "worse_within"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"

    @property
    def passes(self) -> bool:
        """Whether the gate is shown to hold."""
        return self in (Outcome.IMPROVED, Outcome.EQUIVALENT, Outcome.WORSE_WITHIN_MARGIN)


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case whose score got worse, with what a reviewer needs to see."""

    id: str
    baseline: float | None
    candidate: float | None
    prompt: str = ""
    expected: str = ""
    baseline_answer: str = ""
    candidate_answer: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the cases; nothing is dropped in silence."""

    cases: int
    """Cases that either side was asked."""
    compared: int
    """Cases that entered the estimate."""
    failed: int = 0
    """Cases the candidate did not answer; they entered with the worst bound."""
    unscored: int = 0
    """Cases left out because one side has no score."""
    missing: int = 0
    """Cases that one side does not have at all."""

    @property
    def lost_share(self) -> float:
        """Share of cases that failed, are unscored or missing; above 0.05 a gate is invalid."""
        return (self.failed + self.unscored + self.missing) / self.cases if self.cases else 1.0


@dataclass(frozen=True, slots=True)
class Slice:
    """The change among the cases of one label. It is reported below a gate and decides nothing."""

    name: str
    cases: int
    baseline: float | None = None
    """None, like all figures, when the label has too few clusters for an interval."""
    candidate: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p_adjusted: float | None = None
    """Of being worse, one-sided, adjusted for the number of slices by Benjamini and Hochberg."""

    @property
    def is_worse(self) -> bool:
        """Whether it is worse, among slices of which at most one in twenty is flagged wrongly."""
        return self.p_adjusted is not None and self.p_adjusted <= FALSE_DISCOVERY_RATE


FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one gate.

    Estimates are in the metric's own unit; `delta` is candidate − baseline turned so that positive is better.
    """

    outcome: Outcome
    metric: str
    kind: str
    """`no_regression`, `improved`, `equivalent`, `same_answers`, `at_least`, `at_most`, `trials`, `calibrated`,
    `latency`, `throughput` or `limit`."""
    headline: str
    """One line: metric, old and new value, difference, interval, number of cases."""
    reason: str = ""
    """What a reader should know beyond the headline; always set when inconclusive or invalid."""
    baseline: float | None = None
    candidate: float | None = None
    delta: float | None = None
    low: float | None = None
    """Lower end of the two-sided 90 % interval of `delta` (of the value itself where it is held against a bar)."""
    high: float | None = None
    method: str = ""
    """Name of the interval: `tango`, `t`, `cluster_t`, `wilson`, `order_statistics`, `batch_means`; with `+score` when
    too few cases vary for t alone."""
    counts: Counts = field(default_factory=lambda: Counts(0, 0))
    margin: float | None = None
    threshold: float | None = None
    alpha: float = 0.05
    """One-sided level of the interval that decides whether the gate holds."""
    alpha_adjusted: float = 0.05
    """One-sided level needed to call it regressed, after correction for the number of gates."""
    needed_cases: int | None = None
    """How many cases would decide an inconclusive gate, all else equal."""
    worst: tuple[CaseChange, ...] = ()
    """Cases with the largest loss, worst first."""
    slices: tuple[Slice, ...] = ()
    """The change by label, worst first."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Per-case scores and parameters: enough to recompute the verdict without anything else."""

    @property
    def passed(self) -> bool:
        """Whether the gate is shown to hold."""
        return self.outcome.passes
