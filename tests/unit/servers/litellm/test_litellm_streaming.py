"""Conversations in pieces through litellm, which makes up ends and counts of its own."""

from __future__ import annotations

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.servers.exchange import Request, Usage
from pytest_llmval.servers.remote.faults import Unanswered

pytestmark = pytest.mark.servers

REQUEST = Request((Message("user", "opening hours?"),), decoding=Decoding(max_tokens=24))
PROVIDERS = pytest.mark.parametrize("model", ["openai/tiny", "hosted_vllm/tiny"])


@PROVIDERS
@pytest.mark.parametrize("defects", [{}, {"no_last_event": True}], ids=["sound", "no last event"])
def test_pieces_make_the_whole(connect, served, model, defects):
    """Text, end and usage are the same as without streaming."""
    (whole,) = connect(model=model).answer([REQUEST])
    served.suffer(**defects)

    (pieces,) = connect(model=model, streams=True).answer([REQUEST])

    assert (pieces.text, pieces.finish_reason, pieces.usage) == (whole.text, whole.finish_reason, whole.usage)
    assert served.asked[-1]["body"]["stream_options"] == {"include_usage": True}
    assert whole.timing.first_token_seconds is None


def test_the_time_of_the_first_token(connect, served):
    """The server waits 0.2 s before it and 0.05 s after each of several pieces; nothing is loaded in that time."""
    served.suffer(first_token=0.2, next_token=0.05)

    (found,) = connect(streams=True).answer([REQUEST])

    assert 0.2 <= found.timing.first_token_seconds < min(0.6, found.timing.seconds - 0.1)


def test_usage_that_the_server_does_not_tell_is_not_made_up(connect, served):
    """By itself litellm would count with a tokenizer of its own."""
    served.suffer(no_usage=True)

    (found,) = connect(streams=True).answer([REQUEST])

    assert found.usage == Usage(0, 0)
    assert found.text


@PROVIDERS
@pytest.mark.parametrize("defects", [{"hang_ups": 9, "politely": True}, {"garbage": 9}], ids=["hang-up", "HTML"])
def test_an_end_that_nobody_sent_is_none(connect, served, model, defects):
    """By itself litellm would say that the answer stopped, with what there is of it."""
    served.suffer(**defects)

    with pytest.raises(Unanswered, match=r"after 4 attempts .*; the last one: the answer broke off before its end$"):
        connect(model=model, streams=True).answer([REQUEST])
    assert len(served.asked) == 4


@PROVIDERS
def test_an_answer_that_trickles_is_given_up(connect, served, model):
    """Each piece comes in time, all of them do not."""
    served.suffer(next_token=0.15)

    with pytest.raises(Unanswered, match=r"the last one: the answer was not complete after 0.3 s$"):
        connect(model=model, streams=True, patience={"attempts": 1, "timeout": 0.3}).answer([REQUEST])


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('data: {"error": {"message": "boom"}}\n\n', "APIError: boom"),
        ("data: {oops\n\n", "the answer is not JSON: '{oops'"),
    ],
)
def test_a_stream_of_something_else_is_given_up(connect, served, text, last):
    """Each is tried again, and the last one is shown."""
    served.suffer(garbage=9, text=text)

    with pytest.raises(Unanswered) as caught:
        connect(streams=True).answer([REQUEST])

    assert str(caught.value).endswith(f"; the last one: {last}")
    assert len(served.asked) == 4


def test_an_answer_that_was_filtered_is_none(connect, served):
    """The reason arrives also with the last piece."""
    served.suffer(finish_reason="content_filter")

    (found,) = connect(streams=True).answer([REQUEST])

    assert found.error == "the server ended the answer with 'content_filter'; expected 'stop' or 'length'"
