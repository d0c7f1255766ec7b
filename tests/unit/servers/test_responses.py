"""Responses say by themselves what kind of answer they are."""

from __future__ import annotations

import pytest

from pytest_llmval.servers.exchange import Choice, Response


@pytest.mark.parametrize(
    ("response", "empty"),
    [
        (Response(text=""), True),
        (Response(text=" \n\t"), True),
        (Response(text="", token_ids=(1,)), True),
        (Response(text=" ", finish_reason="length"), True),
        (Response(text="."), False),
        (Response.failed("no answer"), False),
        (Response(text="", finish_reason="choice", choice=Choice(0, (-1.0, -2.0))), False),
    ],
)
def test_empty(response: Response, *, empty: bool) -> None:
    """An answer of white space is empty, whatever ended it; no answer and a chosen empty option are not."""
    assert response.empty is empty
