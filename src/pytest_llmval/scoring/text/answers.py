"""Answers: the asks of a response set one by one, each with its case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.scored import case_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def each_ask(responses: Iterable[Response]) -> Iterator[tuple[Case, Response]]:
    """Every trial with its case.

    Raises:
        ValueError: If a response has no case.
    """
    for response in responses:
        case = case_of(response)
        for trial in response.trials or (response,):
            yield case, trial
