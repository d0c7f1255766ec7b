"""Tokens that answers used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def tokens_used(responses: Iterable[Response]) -> Scores:
    """Tokens that went in and came out of each case; lower is better. Replayed answers count as they did."""

    def tokens(_: Case, response: Response) -> float | Unscored:
        return response.usage.total or Unscored("the server counts no tokens")

    empty = empty_scores("tokens_used", unit="tokens", higher_is_better=False, bounds=None)
    return score_responses(responses, tokens, empty)
