"""What answers cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

UNPRICED = Unscored("no price is known: give input_price and output_price of the version in llmval.toml")


def cost(responses: Iterable[Response]) -> Scores:
    """US dollars that each answer cost; lower is better. 0 for a model of one's own, `Unscored` without a price."""

    def dollars(_: Case, response: Response) -> float | Unscored:
        return UNPRICED if response.cost is None else response.cost

    empty = empty_scores("cost", unit="USD", higher_is_better=False, bounds=None)
    return score_responses(responses, dollars, empty)
