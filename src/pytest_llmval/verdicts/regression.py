"""Regression: whether the candidate is shown to be no worse than the baseline by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.paired import mcnemar_midp
from pytest_llmval.statistics.sign_flip import sign_flip_p
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.estimate import (
    ChangedPairs,
    LeastFavourable,
    clustered_mean_of,
    mean_of,
    spread_of,
    weighted_mean_of,
)
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.must_pass import broken_cases, broken_reason, loss_of, unknown_reason
from pytest_llmval.verdicts.pairing import Column, pair_up
from pytest_llmval.verdicts.rule import Rule
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, change_headline, invalid_headline

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.pairing import Pair, Pairing

_SHOWN_CASES = 5
_FEW = 30  # below it the t interval leans on the shape of the differences: the permutation test is reported too


def decide_regression(
    candidate: Scores,
    baseline: Scores,
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    alpha_adjusted: float = 0.05,
    vary: Collection[str] = (),
    weighted: bool = False,
) -> Verdict:
    """The verdict on "the candidate is not worse than the baseline by more than ``margin``".

    The difference is candidate − baseline by case, turned so that positive is better. A case the candidate failed or
    lacks enters with the metric's worst bound. Failures count against the candidate only: where leaving them out
    would look worse (they fell on cases the baseline got wrong as well), that reading is taken.

    Args:
        candidate: Scores of the version under test.
        baseline: Scores of the version it is compared with, on the same cases.
        margin: Largest loss that is tolerated, in the metric's unit: 0.05 is 5 percentage points of a share.
        alpha: One-sided level of showing non-inferiority, in (0, 0.5); the interval has confidence 1 − 2·alpha.
        alpha_adjusted: One-sided level of calling it regressed, corrected for the number of gates, at most alpha.
        vary: Fields of `Basis` that are allowed to differ.
        weighted: Whether cases count by their weights, so that the means are Σ weight·value / Σ weight.

    Returns:
        A verdict of kind `no_regression`, invalid when the sides cannot be compared.

    Raises:
        ValueError: If the margin is negative, a level impossible, or weights are asked for and missing.
    """
    gate = _Gate(candidate, baseline, Rule(margin, alpha, alpha_adjusted), tuple(sorted(vary)), weighted)
    pairing = pair_up(candidate, baseline)
    found = comparable.obstacles(candidate, baseline, vary) or comparable.infinite_values(candidate, baseline)
    if found:
        return _invalid(gate, pairing, found)
    found = comparable.shortfalls(pairing, clustered=gate.is_clustered)
    found += comparable.too_little_weight(pairing, candidate.unit) if weighted else []
    broken = broken_cases(pairing, candidate, margin, binary=gate.is_binary)
    if found:
        return _invalid(gate, pairing, [*found, broken_reason(broken)] if broken else found)
    return _with_must_pass(_decided(gate, pairing), pairing, broken)


@dataclass(frozen=True, slots=True)
class _Gate:
    """Both sides and what is asked of them."""

    candidate: Scores
    baseline: Scores
    rule: Rule
    vary: tuple[str, ...]
    weighted: bool = False

    def __post_init__(self) -> None:
        """Refuse weights that are not there."""
        for scores in (self.candidate, self.baseline):
            if self.weighted and scores.weights is None:
                msg = f"{scores.name}: the scores have no weights; expected those of perplexity() or bits_per_byte()"
                raise ValueError(msg)

    @property
    def is_clustered(self) -> bool:
        return self.candidate.clusters is not None or self.baseline.clusters is not None

    @property
    def is_binary(self) -> bool:
        return self.candidate.kind == "binary" and self.candidate.trials == self.baseline.trials == 1


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read the cases: with the failures at the worst bound, or without them."""

    estimate: Estimate
    means: tuple[float, float]
    """Of the baseline and of the candidate, in the order of output."""


def _decided(gate: _Gate, pairing: Pairing) -> Verdict:
    readings = [_read(gate, pairs) for pairs in dict.fromkeys((pairing.pairs, pairing.answered))]
    shown = min(readings, key=lambda reading: reading.estimate.value)
    estimate = LeastFavourable(tuple(reading.estimate for reading in readings))
    interval = estimate.interval(1 - 2 * gate.rule.alpha)
    blank = _blank(gate, pairing)
    verdict = replace(
        blank,
        headline=change_headline(
            gate.candidate,
            gate.baseline,
            means=shown.means,
            estimate=estimate,
            n=len(pairing.pairs),
            alpha=gate.rule.alpha,
        ),
        baseline=shown.means[0],
        candidate=shown.means[1],
        delta=estimate.value,
        low=interval.low,
        high=interval.high,
        method=estimate.method,
        worst=worst_changes(gate.candidate, gate.baseline, pairing),
        evidence=blank.evidence | {"statistics": {"method": estimate.method} | _tests(gate, pairing)},
    )
    return _with_outcome(verdict, gate, estimate)


def _with_outcome(verdict: Verdict, gate: _Gate, estimate: Estimate) -> Verdict:
    outcome = gate.rule.outcome(estimate)
    needed = gate.rule.needed_cases(estimate, verdict.counts.compared) if outcome is Outcome.INCONCLUSIVE else None
    reason = gate.rule.reason(outcome, estimate, Scale.of(gate.candidate), needed)
    return replace(verdict, outcome=outcome, reason=reason, needed_cases=needed)


def _with_must_pass(verdict: Verdict, pairing: Pairing, broken: list[str]) -> Verdict:
    if broken:
        reason = "; ".join(filter(None, (broken_reason(broken), verdict.reason)))
        return replace(verdict, outcome=Outcome.REGRESSED, reason=reason, needed_cases=None)
    if pairing.unscored_must_pass and verdict.outcome.passes:
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=unknown_reason(pairing.unscored_must_pass))
    return verdict


def _invalid(gate: _Gate, pairing: Pairing, found: Sequence[str]) -> Verdict:
    return replace(
        _blank(gate, pairing),
        headline=invalid_headline(gate.candidate, gate.baseline),
        reason="; ".join(found),
    )


def _blank(gate: _Gate, pairing: Pairing) -> Verdict:
    """What is known whatever the scores say."""
    rule = gate.rule
    return Verdict(
        outcome=Outcome.INVALID,
        metric=gate.candidate.name,
        kind="no_regression",
        headline="",
        counts=pairing.counts,
        margin=rule.margin,
        alpha=rule.alpha,
        alpha_adjusted=rule.alpha_adjusted,
        evidence=_evidence(gate),
    )


def _evidence(gate: _Gate) -> dict[str, Any]:
    rule = gate.rule
    return {
        "kind": "no_regression",
        "parameters": {
            "margin": rule.margin,
            "alpha": rule.alpha,
            "alpha_adjusted": rule.alpha_adjusted,
            "vary": list(gate.vary),
            "weighted": gate.weighted,
        },
        "baseline": scores_to_dict(gate.baseline),
        "candidate": scores_to_dict(gate.candidate),
    }


def _read(gate: _Gate, pairs: tuple[Pair, ...]) -> _Reading:
    before = [pair.baseline for pair in pairs]
    after = [0.0 if pair.candidate is None else pair.candidate for pair in pairs]
    weights = _weights(gate, pairs)
    means = (_mean(before, weights), _mean(after, weights))
    return _Reading(_estimate(gate, pairs, [*before, *after]), means)


def _weights(gate: _Gate, pairs: tuple[Pair, ...]) -> list[float]:
    return [pair.weight if gate.weighted else 1.0 for pair in pairs]


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _estimate(gate: _Gate, pairs: tuple[Pair, ...], values: Sequence[float]) -> Estimate:
    changes = [-loss_of(pair, gate.candidate) for pair in pairs]
    weights = _weights(gate, pairs)
    limits = _limits(gate.candidate, _mean(changes, weights), values)
    clusters = [pair.cluster for pair in pairs] if gate.is_clustered else None
    if gate.weighted:
        return weighted_mean_of(changes, weights, clusters, limits)
    if clusters is not None:
        return clustered_mean_of(changes, clusters, limits)
    if gate.is_binary:
        return _changed_pairs(changes)
    return mean_of(changes, limits)


def _changed_pairs(changes: Sequence[float]) -> ChangedPairs:
    gained = sum(change > 0 for change in changes)
    return ChangedPairs(gained, sum(change < 0 for change in changes), len(changes))


def _limits(candidate: Scores, mean: float, values: Sequence[float]) -> Interval:
    """Least and largest change of a case: the width of the bounds, or the spread of the values where there are none.

    Without bounds one more case may as well not have changed at all, so 0 always lies within.
    """
    if candidate.bounds is not None:
        width = candidate.bounds[1] - candidate.bounds[0]
        return Interval(-width, width)
    spread = spread_of(values)
    return Interval(min(mean, 0.0) - spread, max(mean, 0.0) + spread)


def _tests(gate: _Gate, pairing: Pairing) -> dict[str, float]:
    """P-values that belong beside the interval; they decide nothing."""
    changes = [-loss_of(pair, gate.candidate) for pair in pairing.pairs]
    if gate.is_binary and not gate.is_clustered:
        pairs = _changed_pairs(changes)
        return {"mcnemar_midp": mcnemar_midp(pairs.gained, pairs.lost)}
    clusters = [pair.cluster for pair in pairing.pairs] if gate.is_clustered else None
    units, weights = len(set(clusters)) if clusters else len(changes), _weights(gate, pairing.pairs)
    moved = [change * weight for change, weight in zip(changes, weights, strict=True)]
    permuted = {"sign_flip_p": sign_flip_p(moved, clusters=clusters)} if units < _FEW else {}
    return permuted | (_facts_of_weights(changes, weights) if gate.weighted else {})


def _facts_of_weights(changes: Sequence[float], weights: Sequence[float]) -> dict[str, float]:
    """How many cases of one weight they are worth, and the loss that one case in a hundred exceeds."""
    effective = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    return {"effective_cases": effective, "loss_p99": float(np.quantile([-change for change in changes], 0.99))}


def worst_changes(candidate: Scores, baseline: Scores, pairing: Pairing) -> tuple[CaseChange, ...]:
    """The cases with the largest loss, worst first; in file order where losses are equal."""
    losing = [pair for pair in pairing.pairs if loss_of(pair, candidate) > 0]
    losing.sort(key=lambda pair: loss_of(pair, candidate), reverse=True)
    ours, theirs = Column(candidate), Column(baseline)
    return tuple(_change(pair, ours, theirs) for pair in losing[:_SHOWN_CASES])


def _change(pair: Pair, ours: Column, theirs: Column) -> CaseChange:
    before, after = theirs.note(pair.id), ours.note(pair.id)
    return CaseChange(
        id=pair.id,
        baseline=pair.baseline,
        candidate=None if pair.failure else pair.candidate,
        prompt=before.prompt or after.prompt,
        expected=before.expected or after.expected,
        baseline_answer=before.answer,
        candidate_answer=f"no answer: {pair.failure}" if pair.failure else after.answer,
    )
