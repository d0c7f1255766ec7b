"""Violations: how often a change of the question that should not matter changed the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.records.response_set import ResponseSet
from pytest_llmval.scoring.consistency.grouping import groups_of
from pytest_llmval.scoring.consistency.same import differ, is_same_answer
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.case_sets.perturbing.relation import Relation
    from pytest_llmval.scoring.consistency.grouping import Group
    from pytest_llmval.scoring.consistency.same import Same
    from pytest_llmval.servers.exchange import Response

_LONGEST_ANSWER = 250
_UNCHANGED = Unscored("nothing in it could be changed")
_UNASKED = Unscored("a perturbation has no answer in this trial")


def violations(responses: Iterable[Response], *, same: Same | None = None) -> Scores:
    """The share of each case's perturbations that were answered otherwise than the case itself; lower is better.

    There is one value for each case of the dataset, the mean over its perturbations and trials, since these depend on
    each other. A case fails when it or one of its perturbations got no answer, and has no score when nothing in it
    could be changed.

    Trial i of a perturbation is compared with trial i of the case, and the two are drawn with different seeds. The
    share of sampled answers thus holds what differs between any two draws as well (`1 - self_consistency` says how
    much that is); greedy answers show the change of the question alone.

    Args:
        responses: Responses to a perturbed case set, such as `faq.perturbed(typos())`.
        same: Whether two responses, to the case and to its perturbation, say the same, or `Unscored(reason)`. By
            default they do when they chose one option, or gave one text but for letter case and white space.

    Raises:
        ValueError: If no response is to a perturbation, the case that one was made from is not among them, or `same`
            gives something else.
    """
    answered = responses if isinstance(responses, Sequence) else list(responses)
    groups = groups_of(answered)
    compared = {group.id: _compared(group, same or is_same_answer) for group in groups}
    trials = {case_id: iter(each.trials) for case_id, each in compared.items()}

    def share(case: Case, _: Response) -> float | Unscored:
        return next(trials[case.id])

    version = function_hash(same) if same else "1"
    scores = score_responses(_originals(answered, groups), share, _metric(answered, groups), version)
    notes = tuple(
        replace(note, answer=compared[case_id].answers or note.answer)
        for case_id, note in zip(scores.ids, scores.notes or (), strict=True)
    )
    return replace(_taken_by(scores, _relation_of(answered)), must_pass=None, notes=notes)


def _originals(responses: Sequence[Response], groups: Sequence[Group]) -> Sequence[Response]:
    """The responses to the cases themselves, with what is known of all."""
    own = tuple(group.original for group in groups)
    return replace(responses, responses=own) if isinstance(responses, ResponseSet) else own


def _metric(responses: Sequence[Response], groups: Sequence[Group]) -> Scores:
    relation = _relation_of(responses)
    name = f"violations of {relation.name}" if relation else "violations"
    at_most_one = all(len(group.perturbed) <= 1 for group in groups)
    return empty_scores(name, higher_is_better=False, kind="binary" if at_most_one else "graded")


def _relation_of(responses: Sequence[Response]) -> Relation | None:
    return responses.case_set.relation if isinstance(responses, ResponseSet) else None


def _taken_by(scores: Scores, relation: Relation | None) -> Scores:
    """The scores with the relation in their basis: what it was made with changes what is measured."""
    if scores.basis is None or relation is None:
        return scores
    return replace(scores, basis=replace(scores.basis, protocol=(("relation", str(relation)),)))


@dataclass(frozen=True, slots=True)
class _Compared:
    """The answers to a case beside those to its perturbations."""

    trials: list[float | Unscored]
    """One a trial in which the case was answered."""
    answers: str = ""
    """For reports: the answer to the case, and to the perturbation that was answered otherwise most often."""


def _compared(group: Group, same: Same) -> _Compared:
    rows = [_row(group.original, each, same) for each in group.perturbed]
    if not rows:
        return _Compared([_UNCHANGED for _ in _answered(group.original)])
    worst = max(range(len(rows)), key=lambda place: rows[place].count(True))
    trials = [_share(outcomes) for outcomes in zip(*rows, strict=True)]
    return _Compared(trials, _both_answers(group.original, group.perturbed[worst], rows[worst]))


def _row(original: Response, perturbed: Response | None, same: Same) -> list[bool | Unscored]:
    """Whether each trial that the case answered was answered otherwise."""
    others = _trials(perturbed) if perturbed is not None else ()
    return [
        _outcome(trial, others[number], same) if number < len(others) else _UNASKED
        for number, trial in _answered(original)
    ]


def _outcome(original: Response, perturbed: Response, same: Same) -> bool | Unscored:
    if perturbed.error is not None:
        name = f"{perturbed.case.id}: " if perturbed.case else ""
        return Unscored(f"{name}{perturbed.error}", failed=True)
    return differ(original, perturbed, same)


def _share(outcomes: tuple[bool | Unscored, ...]) -> float | Unscored:
    """The share of perturbations that were answered otherwise. One without an answer leaves the trial without one."""
    without = [each for each in outcomes if isinstance(each, Unscored)]
    if without:
        return min(without, key=lambda each: not each.failed)
    return outcomes.count(True) / len(outcomes)


def _answered(response: Response) -> list[tuple[int, Response]]:
    """The trials with an answer, and their numbers."""
    return [(number, trial) for number, trial in enumerate(_trials(response)) if trial.error is None]


def _trials(response: Response) -> tuple[Response, ...]:
    return response.trials or (response,)


def _both_answers(original: Response, perturbed: Response | None, row: list[bool | Unscored]) -> str:
    """In one text: a comparison shows one for each version, and these may have stumbled over different changes."""
    if perturbed is None or perturbed.case is None or not row:
        return ""
    number, before = _answered(original)[row.index(True) if True in row else 0]
    after = _trials(perturbed)[min(number, len(_trials(perturbed)) - 1)]
    changed = f"{perturbed.case.change} ({perturbed.case.id}):"
    return "\n".join((_shown(before), changed, _shown(after)))


def _shown(response: Response) -> str:
    text = response.text if response.error is None else f"(no answer: {response.error})"
    return text if len(text) <= _LONGEST_ANSWER else f"{text[:_LONGEST_ANSWER]}…"
