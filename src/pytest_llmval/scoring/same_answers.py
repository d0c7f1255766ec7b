"""Same answers: where two versions answer a case differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.scoring.scored import empty_scores, note_of, score_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import CaseNote, Scores
    from pytest_llmval.servers.exchange import Response


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that is answered differently."""

    id: str
    note: CaseNote
    """Prompt, expectation and the candidate's answer."""
    baseline_answer: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """Which cases two versions answer alike."""

    scores: Scores
    """1 for the same answer, 0 for another one, the share of trials when there are several."""
    baseline: Scores
    """The baseline against itself, 1 everywhere: its cases, its version and the conditions it was asked under."""
    flips: tuple[Flip, ...]
    """In file order; of several trials the first that differs."""


def same_answers(
    candidate: Iterable[Response], baseline: Iterable[Response], normalise: Callable[[str], str] | None = None
) -> Agreement:
    """The agreement of two response sets, case by case and trial by trial.

    Answers are the chosen option of a multiple-choice case, else the text.

    Args:
        candidate: Responses of the version under test, each with its case.
        baseline: Those of the version it is compared with.
        normalise: What is done to a text before it is compared; by default nothing.

    Raises:
        ValueError: If a response has no case.
    """
    ours, theirs = _as_sequence(candidate), _as_sequence(baseline)
    before = {each.case.id: _trials(each) for each in theirs if each.case}
    compared = [_compared(each.case, each, before.get(each.case.id, ()), normalise) for each in ours if each.case]
    left = {each.id: iter(each.trials) for each in compared}

    def is_same(case: Case, _: Response) -> bool | Unscored:
        return next(left[case.id])

    empty = empty_scores("same_answers", kind="binary")
    version = function_hash(normalise) if normalise else "1"
    return Agreement(
        score_responses(ours, is_same, empty, version),
        score_responses(theirs, lambda *_: True, empty, version),
        tuple(each.flip for each in compared if each.flip),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """The trials of a case beside the baseline's."""

    id: str
    trials: list[bool | Unscored]
    """One a trial that the candidate answered: whether the baseline said the same."""
    flip: Flip | None


def _compared(
    case: Case, response: Response, before: Sequence[Response], normalise: Callable[[str], str] | None
) -> _Compared:
    """A flip that was seen counts, also when the baseline has no answer in another trial."""
    sides = [
        (ours, before[place % len(before)] if before else None)
        for place, ours in enumerate(_trials(response))
        if ours.error is None
    ]
    found = [_is_same(ours, other, normalise) for ours, other in sides]
    if False not in found:
        return _Compared(case.id, found, None)
    ours, other = sides[found.index(False)]
    flip = Flip(case.id, note_of(case, ours), other.text if other else "")
    return _Compared(case.id, [same is True for same in found], flip)


def _is_same(ours: Response, other: Response | None, normalise: Callable[[str], str] | None) -> bool | Unscored:
    if other is None:
        return Unscored("the baseline has no answer")
    if other.error is not None:
        return Unscored(f"the baseline: {other.error}")
    return _answer(ours, normalise) == _answer(other, normalise)


def _as_sequence(responses: Iterable[Response]) -> Sequence[Response]:
    return responses if isinstance(responses, Sequence) else list(responses)


def _trials(response: Response) -> tuple[Response, ...]:
    return response.trials or (response,)


def _answer(response: Response, normalise: Callable[[str], str] | None) -> object:
    if response.choice is not None:
        return response.choice.index
    return normalise(response.text) if normalise else response.text
