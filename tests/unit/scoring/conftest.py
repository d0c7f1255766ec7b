"""Responses with their cases."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmval.case_sets.case import Case, CaseSet
from pytest_llmval.records.response_set import ResponseSet, conditions_of
from pytest_llmval.servers.exchange import Response


def answered(*answers: Response | str, cases: dict[str, list[Any]] | None = None, trials: int = 1) -> ResponseSet:
    """A response set; answers come case by case, `trials` of them each; `cases` are columns of case fields."""
    responses = [Response(text=each) if isinstance(each, str) else each for each in answers]
    count = len(responses) // trials
    columns = {"prompt": [f"Q{n}" for n in range(count)]} | (cases or {})
    members = tuple(
        Case(id=f"c{n}", fields={}, **{name: column[n] for name, column in columns.items()}) for n in range(count)
    )
    case_set = CaseSet("faq", members, prompt_hash="0123456789abcdef")
    attached = []
    for n, case in enumerate(members):
        own = tuple(each.with_case(case, ()) for each in responses[n * trials : (n + 1) * trials])
        attached.append(own[0].with_case(case, own))
    return ResponseSet(
        case_set, tuple(attached), "v1", conditions_of(case_set, "blocks of 32"), (("server", "scripted"),)
    )


@pytest.fixture(scope="session")
def responses_to() -> Any:
    """The function that makes a response set."""
    return answered
