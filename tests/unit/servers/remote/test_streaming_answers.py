"""Answers in pieces are those in one, and say when the first piece came."""

from __future__ import annotations

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.servers.exchange import Request

PROMPTS = ["The opening hours", (Message("user", "opening hours?"),)]


def told(answered):
    """All of an answer but its times."""
    response = answered.response
    return response.text, response.token_ids, response.logprobs, response.finish_reason, response.usage, answered.top


@pytest.mark.parametrize("prompt", PROMPTS, ids=["completions", "chat"])
@pytest.mark.parametrize("defects", [{}, {"no_last_event": True}], ids=["sound", "no last event"])
def test_pieces_make_the_whole(connect, served, prompt, defects):
    """Text, ids, logprobs, end and usage are the same as without streaming."""
    request = Request(prompt, decoding=Decoding(max_tokens=12, logprobs=2))
    (whole,) = connect().ask([request])
    served.suffer(**defects)

    (pieces,) = connect(streams=True).ask([request])

    assert told(pieces) == told(whole)
    assert served.asked[-1]["body"]["stream_options"] == {"include_usage": True}
    assert whole.response.timing.first_token_seconds is None


def test_the_time_of_the_first_token(connect, served):
    """The server waits 0.2 s before it and 0.05 s after each of several pieces."""
    served.suffer(first_token=0.2, next_token=0.05)

    (answered,) = connect(streams=True).ask([Request("The opening hours", decoding=Decoding(max_tokens=24))])

    assert 0.2 <= answered.response.timing.first_token_seconds < answered.response.timing.seconds - 0.1


def test_failed_attempts_are_no_part_of_the_time(connect, served):
    """The first attempt is told to wait for 0.3 s; the time of the second alone is the answer's."""
    served.suffer(throttled=1, retry_after=0.3)

    (answered,) = connect(streams=True).ask([Request("hello", decoding=Decoding(max_tokens=4))])

    assert answered.response.timing.seconds < 0.3 <= answered.response.timing.waited_seconds


def test_choices_are_not_streamed(connect, served):
    """An echo comes in one piece."""
    server = connect(streams=True)
    assert server.capabilities.loglikelihood
    served.suffer()

    server.answer([Request("A card costs", (" five", " ten"))])

    assert [each["body"].get("stream") for each in served.asked] == [None, None]
