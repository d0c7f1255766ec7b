"""Comparison: two versions on the same cases, from scores to a verdict under the rule of a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.statistics.differences.paired import mcnemar_midp
from pytest_llmval.statistics.differences.sign_flip import sign_flip_p
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.estimand import Estimand, check_estimand, missing_trials, more_of
from pytest_llmval.verdicts.estimate import (
    ChangedPairs,
    LeastFavourable,
    Shifted,
    clustered_mean_of,
    mean_of,
    spread_of,
    suite_mean_of,
    weighted_mean_of,
)
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.must_pass import broken_cases, broken_reason, loss_of, unknown_reason
from pytest_llmval.verdicts.pairing import Column, pair_up
from pytest_llmval.verdicts.rule import Change
from pytest_llmval.verdicts.slices import slices_of, worse_slices_reason
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, change_headline, invalid_headline

if TYPE_CHECKING:
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.pairing import Pair, Pairing
    from pytest_llmval.verdicts.rule import Rule

Labels = Mapping[str, Sequence[str]]
"""The slices each case belongs to, by case id."""
Trials = tuple[float, ...]

_SHOWN_CASES = 5
_FEW = 30  # below it the t interval leans on the shape of the differences: the permutation test is reported too


@dataclass(frozen=True, slots=True)
class Question:
    """Both sides and what is asked of them."""

    candidate: Scores
    baseline: Scores
    rule: Rule
    parameters: Mapping[str, Any]
    """What the gate was given, by the names of its function: enough to ask again."""
    vary: tuple[str, ...] = ()
    estimand: Estimand = "population"
    slices: Labels | None = None
    weighted: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse an estimand that is none, a margin that allows everything, and weights that are not there."""
        check_estimand(self.estimand)
        self.rule.margin.check_range(self.candidate)
        for scores in (self.candidate, self.baseline):
            if self.weighted and scores.weights is None:
                msg = f"{scores.name}: the scores have no weights; expected those of perplexity() or bits_per_byte()"
                raise ValueError(msg)

    @property
    def is_clustered(self) -> bool:
        """Whether cases depend on each other; exactly these cases are no sample, so nothing depends."""
        return self.estimand == "population" and (
            self.candidate.clusters is not None or self.baseline.clusters is not None
        )

    @property
    def is_binary(self) -> bool:
        """Whether each case passed or failed once on both sides."""
        return self.candidate.kind == "binary" and self.candidate.trials == self.baseline.trials == 1

    @property
    def sign(self) -> int:
        """What turns a value so that larger is better."""
        return 1 if self.candidate.higher_is_better else -1


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the cases: with the failures at the worst bound, or without them."""

    change: Change
    means: tuple[float, float]
    """Of the baseline and of the candidate, in the order of output."""


def compare(question: Question) -> Verdict:
    """The verdict of the question's rule, invalid when the sides cannot be compared."""
    candidate, baseline = question.candidate, question.baseline
    pairing = pair_up(candidate, baseline)
    found = comparable.obstacles(candidate, baseline, question.vary)
    found = found or comparable.infinite_values(candidate, baseline)
    found = found or missing_trials(question.estimand, min(candidate.trials, baseline.trials))
    if found:
        return _invalid(question, pairing, found)
    found = comparable.shortfalls(pairing, clustered=question.is_clustered)
    found += comparable.too_little_weight(pairing, candidate.unit) if question.weighted else []
    broken = broken_cases(pairing, candidate, question.rule.margin, binary=question.is_binary)
    if found:
        return _invalid(question, pairing, [*found, broken_reason(broken)] if broken else found)
    return _with_must_pass(_decided(question, pairing), pairing, broken)


def _decided(question: Question, pairing: Pairing) -> Verdict:
    readings = [read(question, pairs) for pairs in dict.fromkeys((pairing.pairs, pairing.answered))]
    shown = min(readings, key=lambda reading: reading.change.difference.value)
    change = _least_favourable([reading.change for reading in readings])
    verdict = _with_numbers(question, pairing, shown, change)
    verdict = _with_outcome(verdict, question, change)
    return _with_slices(verdict, question, pairing)


def _least_favourable(changes: Sequence[Change]) -> Change:
    """The worse of the readings in each respect."""
    return replace(
        changes[0],
        difference=LeastFavourable(tuple(each.difference for each in changes)),
        room=LeastFavourable(tuple(each.room for each in changes)),
        headroom=LeastFavourable(tuple(each.headroom for each in changes)),
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
        margin=_shown_margin(question, shown.means[0]),
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
    found = slices_of(question, pairing.pairs, read)
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


def read(question: Question, pairs: tuple[Pair, ...]) -> Reading:
    """The change that these pairs show."""
    margin, weights = question.rule.margin, _weights(question, pairs)
    ours, theirs = _turned(question, pairs)
    before = [pair.baseline for pair in pairs]
    after = [0.0 if pair.candidate is None else pair.candidate for pair in pairs]
    means = (_mean(before, weights), _mean(after, weights))
    # Moved values lie closer together than those that were measured, which alone tell how far one may move.
    spread = spread_of([value for trials in (*ours, *theirs) for value in trials])
    difference = _estimate(question, pairs, ours, theirs, spread=spread)
    if margin.is_relative:
        changes = [up[0] - down[0] for up, down in zip(ours, theirs, strict=True)]
        room = _estimate(question, pairs, ours, _moved(theirs, -margin.size), spread=spread, changes=changes)
        headroom = _estimate(question, pairs, _moved(theirs, margin.size), ours, spread=spread, changes=changes)
    else:
        room, headroom = Shifted(difference, margin.size), Shifted(difference, margin.size, mirrored=True)
    return Reading(Change(difference, room, headroom, means[0], more_of(question.estimand)), means)


def _turned(question: Question, pairs: tuple[Pair, ...]) -> tuple[list[Trials], list[Trials]]:
    """Values of candidate and baseline by pair, turned so that larger is better; of each trial where these matter."""
    sign, ours, theirs = question.sign, Column(question.candidate), Column(question.baseline)
    if question.estimand == "population":
        return (
            [(sign * (0.0 if pair.candidate is None else pair.candidate),) for pair in pairs],
            [(sign * pair.baseline,) for pair in pairs],
        )
    # A case that failed was as bad in every trial.
    worst = tuple([sign * (question.candidate.worst or 0.0)] * question.candidate.trials)
    return (
        [worst if pair.failure else tuple(sign * value for value in ours.trials(pair.id)) for pair in pairs],
        [tuple(sign * value for value in theirs.trials(pair.id)) for pair in pairs],
    )


def _moved(values: Sequence[Trials], share: float) -> list[Trials]:
    """The values moved up (or down) by a share of their size."""
    return [tuple(value + share * abs(value) for value in trials) for trials in values]


def _weights(question: Question, pairs: tuple[Pair, ...]) -> list[float]:
    return [pair.weight if question.weighted else 1.0 for pair in pairs]


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _estimate(
    question: Question,
    pairs: tuple[Pair, ...],
    plus: Sequence[Trials],
    minus: Sequence[Trials],
    *,
    spread: float,
    changes: Sequence[float] | None = None,
) -> Estimate:
    """The mean of plus − minus.

    ``spread`` is how far a case may move where the metric has no bounds; ``changes`` tell how many cases changed
    where plus − minus does not.
    """
    if question.estimand == "suite":
        return suite_mean_of(plus, minus, _limits(question, 0.0, spread))
    values = [up[0] - down[0] for up, down in zip(plus, minus, strict=True)]
    weights = _weights(question, pairs)
    limits = _limits(question, _mean(values, weights), spread)
    clusters = [pair.cluster for pair in pairs] if question.is_clustered else None
    if question.weighted:
        return weighted_mean_of(values, weights, clusters, limits)
    if clusters is not None:
        return clustered_mean_of(values, clusters, limits, changes)
    if question.is_binary and not question.rule.margin.is_relative:
        return changed_pairs(values)
    return mean_of(values, limits, changes)


def changed_pairs(changes: Sequence[float]) -> ChangedPairs:
    """How many changed to which side."""
    gained = sum(change > 0 for change in changes)
    return ChangedPairs(gained, sum(change < 0 for change in changes), len(changes))


def _limits(question: Question, mean: float, spread: float) -> Interval:
    """Least and largest change of a case: the width of the bounds, or the spread of the values where there are none.

    Without bounds one more case may as well not have changed at all, so 0 always lies within.
    """
    bounds, margin = question.candidate.bounds, question.rule.margin
    if bounds is not None:
        width = bounds[1] - bounds[0] + (margin.size * max(map(abs, bounds)) if margin.is_relative else 0.0)
        return Interval(-width, width)
    return Interval(min(mean, 0.0) - spread, max(mean, 0.0) + spread)


def _tests(question: Question, pairing: Pairing) -> dict[str, float]:
    """P-values that belong beside the interval; they decide nothing."""
    if question.estimand == "suite":
        return {}
    changes = [-loss_of(pair, question.candidate) for pair in pairing.pairs]
    if question.is_binary and not question.is_clustered:
        pairs = changed_pairs(changes)
        return {"mcnemar_midp": mcnemar_midp(pairs.gained, pairs.lost)}
    clusters = [pair.cluster for pair in pairing.pairs] if question.is_clustered else None
    units, weights = len(set(clusters)) if clusters else len(changes), _weights(question, pairing.pairs)
    moved = [change * weight for change, weight in zip(changes, weights, strict=True)]
    permuted = {"sign_flip_p": sign_flip_p(moved, clusters=clusters)} if units < _FEW else {}
    return permuted | (_facts_of_weights(changes, weights) if question.weighted else {})


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
