"""Multiple-choice accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def choice_accuracy(responses: Iterable[Response], *, length_normalised: bool = False) -> Scores:
    """Share of cases whose most probable option is the right one.

    Args:
        responses: Responses to a case set with `choices=` and `answer=`.
        length_normalised: Compare logprob per character of the option instead of the sum, as lm-eval's `acc_norm`.
    """
    name = "choice_accuracy_norm" if length_normalised else "choice_accuracy"

    def is_right(case: Case, response: Response) -> bool | Unscored:
        if response.choice is None or case.answer is None:
            return without_choice(case)
        chosen = response.choice.normalised_index if length_normalised else response.choice.index
        return chosen == case.answer

    return score_responses(responses, is_right, empty_scores(name, kind="binary"))


def without_choice(case: Case) -> Unscored:
    """Why there is nothing to score; a server that was given options and chose none has failed the case."""
    if not case.choices:
        return Unscored("the case has no choices")
    if case.answer is None:
        return Unscored("the case has no answer")
    return Unscored("the server was given choices and chose none", failed=True)
