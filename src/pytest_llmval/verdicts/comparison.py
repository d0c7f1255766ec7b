"""Comparison: two versions on the same cases, from scores to a verdict under the rule of a gate."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_sums
from pytest_llmval.statistics.differences.paired import mcnemar_midp
from pytest_llmval.statistics.differences.sign_flip import sign_flip_p
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.estimand import missing_trials
from pytest_llmval.verdicts.estimate import LeastFavourable, changed_pairs
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.failed import imaginable
from pytest_llmval.verdicts.must_pass import broken_cases, broken_reason, loss_of, unknown_reason
from pytest_llmval.verdicts.pairing import Column, pair_up
from pytest_llmval.verdicts.question import Labels, Question
from pytest_llmval.verdicts.reading import Reading, read, weights_of
from pytest_llmval.verdicts.slices import slices_of, worse_slices_reason
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, change_headline, invalid_headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.pairing import Pair, Pairing
    from pytest_llmval.verdicts.rule import Change

    Floats = NDArray[np.float64]

__all__ = ["Labels", "Question", "compare", "read"]

_SHOWN_CASES = 5
_FEW = 30  # below it the t interval leans on the shape of the differences: the permutation test is reported too


def compare(question: Question) -> Verdict:
    """The verdict of the question's rule, invalid when the sides cannot be compared."""
    candidate, baseline = question.candidate, question.baseline
    pairing = pair_up(candidate, baseline)
    found = comparable.obstacles(candidate, baseline, question.vary)
    found = found or comparable.infinite_values(candidate, baseline)
    found = found or missing_trials(question.estimand, candidate, baseline)
    if found:
        return _invalid(question, pairing, found)
    found = comparable.shortfalls(pairing, clustered=question.is_clustered)
    found += comparable.too_little_weight(pairing, candidate.unit) if question.weighted else []
    broken = broken_cases(pairing, candidate, question.rule.margin, binary=question.is_binary)
    if found:
        return _invalid(question, pairing, [*found, broken_reason(broken)] if broken else found)
    return _with_must_pass(_decided(question, pairing), pairing, broken)


def _decided(question: Question, pairing: Pairing) -> Verdict:
    readings = _readings(question, pairing)
    shown = min(readings, key=lambda reading: reading.change.difference.value)
    change = _least_favourable([reading.change for reading in readings], shown.change.baseline)
    verdict = _with_numbers(question, pairing, shown, change)
    verdict = _with_outcome(verdict, question, change)
    return _with_slices(verdict, question, pairing)


def _readings(question: Question, pairing: Pairing) -> list[Reading]:
    """With the failures at the worst bound; if any, also without them, and with all they might have been."""
    at_worst = read(question, pairing.pairs)
    if len(pairing.answered) == len(pairing.pairs):
        return [at_worst]
    trials = question.candidate.trials if question.estimand == "suite" else 1
    others = [read(question, pairing.pairs, each) for each in imaginable(question.candidate, trials)]
    return [at_worst, read(question, pairing.answered), *others]


def _least_favourable(changes: Sequence[Change], baseline: float) -> Change:
    """The worse of the readings in each respect."""
    return replace(
        changes[0],
        difference=LeastFavourable(tuple(each.difference for each in changes)),
        room=LeastFavourable(tuple(each.room for each in changes)),
        headroom=LeastFavourable(tuple(each.headroom for each in changes)),
        baseline=baseline,
    )


def _with_numbers(question: Question, pairing: Pairing, shown: Reading, change: Change) -> Verdict:
    estimate, alpha = change.difference, question.rule.levels.alpha
    interval = estimate.interval(1 - 2 * alpha)
    blank = _blank(question, pairing)
    return replace(
        blank,
        headline=change_headline(
            question.candidate,
            question.baseline,
            means=shown.means,
            estimate=estimate,
            n=len(pairing.pairs),
            alpha=alpha,
        ),
        baseline=shown.means[0],
        candidate=shown.means[1],
        delta=estimate.value,
        low=interval.low,
        high=interval.high,
        method=estimate.method,
        margin=_shown_margin(question, change.baseline),
        worst=worst_changes(question.candidate, question.baseline, pairing),
        evidence=blank.evidence | {"statistics": {"method": estimate.method} | _tests(question, pairing)},
    )


def _shown_margin(question: Question, baseline: float) -> float | None:
    """The margin in the metric's unit, None for a gate that tolerates no loss."""
    allowance = question.rule.margin.allowance(baseline)
    return None if question.rule.kind == "improved" else allowance


def _with_outcome(verdict: Verdict, question: Question, change: Change) -> Verdict:
    rule, is_suite = question.rule, question.estimand == "suite"
    outcome = rule.outcome(change)
    present = min(question.candidate.trials, question.baseline.trials) if is_suite else verdict.counts.compared
    needed = rule.needed(change, present) if outcome is Outcome.INCONCLUSIVE else None
    scale = Scale.of(question.candidate)
    reason = rule.reason(outcome, change, scale, needed)
    if outcome in (Outcome.EQUIVALENT, Outcome.WORSE_WITHIN_MARGIN) and _cannot_fall(question, change.baseline):
        floor = f"the baseline's {scale.value(change.baseline)} could not fall by more than the margin"
        reason = "; ".join(filter(None, (reason, f"{floor}: this gate cannot fail")))
    return replace(verdict, outcome=outcome, reason=reason, needed_cases=None if is_suite else needed)


def _cannot_fall(question: Question, baseline: float) -> bool:
    """Whether the worst that could be is still within the margin."""
    worst, rule = question.candidate.worst, question.rule
    return (
        rule.kind == "no_regression" and worst is not None and abs(baseline - worst) <= rule.margin.allowance(baseline)
    )


def _with_slices(verdict: Verdict, question: Question, pairing: Pairing) -> Verdict:
    if question.slices is None:
        return verdict
    found = slices_of(question, pairing.pairs)
    reason = "; ".join(filter(None, (verdict.reason, worse_slices_reason(found, Scale.of(question.candidate)))))
    return replace(verdict, slices=found, reason=reason)


def _with_must_pass(verdict: Verdict, pairing: Pairing, broken: list[str]) -> Verdict:
    if broken:
        reason = "; ".join(filter(None, (broken_reason(broken), verdict.reason)))
        return replace(verdict, outcome=Outcome.REGRESSED, reason=reason, needed_cases=None)
    if pairing.unscored_must_pass and verdict.outcome.passes:
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=unknown_reason(pairing.unscored_must_pass))
    return verdict


def _invalid(question: Question, pairing: Pairing, found: Sequence[str]) -> Verdict:
    return replace(
        _blank(question, pairing),
        headline=invalid_headline(question.candidate, question.baseline),
        reason="; ".join(found),
    )


def _blank(question: Question, pairing: Pairing) -> Verdict:
    """What is known whatever the scores say."""
    rule = question.rule
    is_relative = rule.margin.is_relative
    return Verdict(
        outcome=Outcome.INVALID,
        metric=question.candidate.name,
        kind=rule.kind,
        headline="",
        counts=pairing.counts,
        margin=None if is_relative or rule.kind == "improved" else rule.margin.size,
        threshold=-rule.margin.size if rule.kind == "improved" else None,
        alpha=rule.levels.alpha,
        alpha_adjusted=rule.levels.adjusted,
        evidence=_evidence(question),
    )


def _evidence(question: Question) -> dict[str, Any]:
    asked = {
        "vary": list(question.vary),
        "estimand": question.estimand,
        "slices": None if question.slices is None else {name: list(each) for name, each in question.slices.items()},
    }
    return {
        "kind": question.rule.kind,
        "parameters": {**question.parameters, **asked},
        "baseline": scores_to_dict(question.baseline),
        "candidate": scores_to_dict(question.candidate),
    }


def _tests(question: Question, pairing: Pairing) -> dict[str, float]:
    """P-values that belong beside the interval; they decide nothing."""
    if question.estimand == "suite":
        return {}
    changes = np.array([-loss_of(pair, question.candidate) for pair in pairing.pairs])
    if question.is_binary and not question.is_clustered:
        changed = changed_pairs(changes)
        return {"mcnemar_midp": mcnemar_midp(changed.gained, changed.lost)}
    weights = weights_of(question, pairing.pairs)
    permuted = _permuted(changes * weights, [pair.cluster for pair in pairing.pairs] if question.is_clustered else None)
    return permuted | (_facts_of_weights(changes, weights) if question.weighted else {})


def _permuted(changes: Floats, clusters: Sequence[str] | None) -> dict[str, float]:
    """The permutation test of few units."""
    units = changes if clusters is None else cluster_sums(changes, clusters)
    if units.size >= _FEW:
        return {}
    return {"sign_flip_p": sign_flip_p(units.tolist())}


def _facts_of_weights(changes: Floats, weights: Floats) -> dict[str, float]:
    """How many cases of one weight they are worth, and the loss that one case in a hundred exceeds."""
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    return {"effective_cases": effective, "loss_p99": float(np.quantile(-changes, 0.99))}


def worst_changes(candidate: Scores, baseline: Scores, pairing: Pairing) -> tuple[CaseChange, ...]:
    """The cases with the largest loss, worst first; in file order where losses are equal."""
    losing = (pair for pair in pairing.pairs if loss_of(pair, candidate) > 0)
    largest = heapq.nlargest(_SHOWN_CASES, losing, key=lambda pair: loss_of(pair, candidate))
    ours, theirs = Column(candidate), Column(baseline)
    return tuple(_change(pair, ours, theirs) for pair in largest)


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
