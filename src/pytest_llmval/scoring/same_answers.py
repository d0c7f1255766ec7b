"""Same answers: where two versions answer a case differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.case import content_hash, source_of
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
    places = {id(trial): place for each in ours for place, trial in enumerate(_trials(each))}
    flips: dict[str, Flip] = {}

    def is_same(case: Case, response: Response) -> bool | Unscored:
        known = before.get(case.id, ())
        other = known[places[id(response)] % len(known)] if known else None
        if other is None or other.error is not None:
            return Unscored("the baseline has no answer" if other is None else f"the baseline: {other.error}")
        is_equal = _answer(response, normalise) == _answer(other, normalise)
        if not is_equal:
            flips.setdefault(case.id, Flip(case.id, note_of(case, response), other.text))
        return is_equal

    empty = empty_scores("same_answers", kind="binary")
    version = content_hash(source_of(normalise))[:8] if normalise else "1"
    scores = score_responses(ours, is_same, empty, version)
    return Agreement(scores, score_responses(theirs, lambda *_: True, empty, version), tuple(flips.values()))


def _as_sequence(responses: Iterable[Response]) -> Sequence[Response]:
    return responses if isinstance(responses, Sequence) else list(responses)


def _trials(response: Response) -> tuple[Response, ...]:
    return response.trials or (response,)


def _answer(response: Response, normalise: Callable[[str], str] | None) -> object:
    if response.choice is not None:
        return response.choice.index
    return normalise(response.text) if normalise else response.text
