"""Exact match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def exact_match(responses: Iterable[Response]) -> Scores:
    """Whether each answer is the reference, white space at both ends apart.

    A case without a reference stays `Unscored`.
    """

    def matches(case: Case, response: Response) -> bool | Unscored:
        expected = "" if case.reference is None else str(case.reference).strip()
        if not expected:
            return Unscored("the case has no reference")
        return response.text.strip() == expected

    return score_responses(responses, matches, empty_scores("exact_match", kind="binary"))
