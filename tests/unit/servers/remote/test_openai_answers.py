"""Answers of the server under test against those of the engine that the real server asks."""

from __future__ import annotations

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import CapabilityMissing, ServerError
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.remote.limiter import Limits

PROMPTS = [f"Question {number}: what does a lost card cost?" for number in range(12)]


def requests(**decoding):
    """One request a prompt."""
    return [Request(prompt, decoding=Decoding(max_tokens=12, **decoding)) for prompt in PROMPTS]


def test_greedy_texts_and_usage_are_those_of_the_engine(connect, served, engine):
    """Text, end and counted tokens are the same in order; each request reached the server once, and no other."""
    found, expected = connect().answer(requests()), engine.answer(requests())

    assert [each.text for each in found] == [each.text for each in expected]
    assert [each.finish_reason for each in found] == [each.finish_reason for each in expected]
    assert [each.usage for each in found] == [each.usage for each in expected]
    assert sorted(each["body"]["prompt"] for each in served.asked) == sorted(PROMPTS)
    assert len({each.text for each in found}) > 6


def test_what_is_sent_for_a_plain_request(connect, served):
    """Nothing that differs not from the interface's defaults, since servers refuse names that they do not know."""
    connect().answer([Request("hello", decoding=Decoding(max_tokens=3))])

    (asked,) = served.asked
    assert asked["path"] == "/v1/completions"
    assert asked["key"] is None
    assert asked["body"] == {"model": "tiny", "prompt": "hello", "max_tokens": 3, "temperature": 0.0}


def test_a_conversation_goes_to_chat(connect, served, engine):
    """The server renders it once: its text and tokens are those of the engine through the same template."""
    request = Request((Message("user", "opening hours?"),), decoding=Decoding(max_tokens=8))

    (found,), (expected,) = connect().answer([request]), engine.answer([request])

    assert (found.text, found.usage) == (expected.text, expected.usage)
    assert [each["path"] for each in served.asked] == ["/v1/chat/completions"]


def test_sampling_is_that_of_the_engine(connect, engine):
    """Temperature, top-p, stop strings and each request's seed arrive."""
    decoding = Decoding(max_tokens=16, temperature=0.9, top_p=0.8, stop=("e",))
    asked = [Request("The opening", decoding=decoding, seed=seed) for seed in (1, 2, 2)]

    found, expected = connect().answer(asked), engine.answer(asked)

    assert [each.text for each in found] == [each.text for each in expected]
    assert found[0].text != found[1].text
    assert found[1].text == found[2].text


@pytest.mark.parametrize("prompt", ["The library", (Message("user", "The library"),)], ids=["completions", "chat"])
def test_logprobs_are_those_of_the_engine(connect, engine, prompt):
    """Tokens, ids and logprobs agree to 1e-4 over both interfaces; the most probable ones are known by their text."""
    request = Request(prompt, decoding=Decoding(max_tokens=6, logprobs=3))

    (answered,), (expected,) = connect().ask([request]), engine.answer([request])
    found = answered.response

    assert found.token_ids == expected.token_ids
    assert [(each.token_id, each.token) for each in found.logprobs] == [
        (each.token_id, each.token) for each in expected.logprobs
    ]
    assert [each.logprob for each in found.logprobs] == pytest.approx(
        [each.logprob for each in expected.logprobs], abs=1e-4
    )
    assert [[value for _, value in top] for top in answered.top] == [
        pytest.approx([value for _, value in each.top], abs=1e-4) for each in expected.logprobs
    ]


def test_token_ids_are_unknown_where_the_server_does_not_tell(connect, served):
    """Without them a logprob has the id −1 and the response no ids."""
    served.suffer(ignores_token_ids=True)

    (found,) = connect().answer([Request("The library", decoding=Decoding(max_tokens=3, logprobs=0))])

    assert found.token_ids == ()
    assert [each.token_id for each in found.logprobs] == [-1] * 3


def test_logprobs_that_do_not_come_back_are_a_missing_capability(connect, served):
    """The test that needs them is skipped with the evidence."""
    served.suffer(ignores_logprobs=True)

    expected = (
        r"^the openai server of 'remote' lacks the capability 'logprobs': asked for logprobs \(completions\), none "
    )
    with pytest.raises(CapabilityMissing, match=expected):
        connect().answer(requests(logprobs=2))


def test_top_k_goes_where_it_is_known_to_work(connect, engine):
    """The server was seen to cut at 1, so that 5 is sent and the answers are those of the engine."""
    asked = [Request("The opening", decoding=Decoding(max_tokens=9, temperature=1.0, top_k=5), seed=s) for s in (1, 2)]

    assert [each.text for each in connect().answer(asked)] == [each.text for each in engine.answer(asked)]


def test_top_k_is_refused_where_it_does_nothing(connect, served):
    """The request fails instead of being answered by another way of decoding."""
    served.suffer(ignores_top_k=True)

    (found,) = connect().answer([Request("hello", decoding=Decoding(temperature=1.0, top_k=5))])

    assert found.error == "top_k=5: the server is not known to take it; expected 0 (all tokens)"


def test_an_over_long_prompt_fails_alone(connect, served):
    """The server's own words are the reason; it is sent once and the others are answered."""
    long = Request("word " * 300, decoding=Decoding(max_tokens=4))

    found = connect().answer([*requests()[:2], long])

    assert [each.error is None for each in found] == [True, True, False]
    assert found[2].error.startswith(
        f"version 'remote': {served.url}/completions: the server refused the request (400: prompt has "
    )
    assert "context" in found[2].error
    assert len(served.asked) == 3


def test_an_empty_prompt_is_not_sent(connect, served):
    """The engine refuses it with the same words."""
    (found,) = connect().answer([Request("")])

    assert found.error == "prompt '' is empty; expected at least one token of text"
    assert served.asked == []


def test_an_answer_that_was_filtered_is_none(connect, served):
    """What the provider withholds is not the model's answer."""
    served.suffer(finish_reason="content_filter")

    (found,) = connect().answer([Request("hello")])

    assert found.error == "the server ended the answer with 'content_filter'; expected 'stop' or 'length'"


def test_requests_of_one_call_are_sent_together(connect, served):
    """Four are allowed at a time, and four are there at a time."""
    served.suffer(slow=0.05)

    connect(limits=Limits(concurrency=4)).answer(requests())

    assert served.most_at_once == 4


def test_nothing_asked_is_nothing_sent(connect, served):
    """No request, no response."""
    assert connect().answer([]) == []
    assert served.asked == []


def test_a_key_comes_from_the_environment_and_stays_out_of_messages(connect, served, monkeypatch):
    """The right one opens; a wrong one is named by its variable only, though the server repeats it."""
    served.suffer(key="right-key")
    monkeypatch.setenv("SOME_KEY", "right-key")
    assert connect(api_key_env="SOME_KEY").answer([Request("hello")])[0].error is None
    monkeypatch.setenv("SOME_KEY", "wrong-key")

    with pytest.raises(ServerError) as caught:
        connect(api_key_env="SOME_KEY").answer([Request("hello")])

    assert str(caught.value) == (
        f"version 'remote': {served.url}/completions: the server refused the key (401: Incorrect key: Bearer ***); "
        "set the environment variable SOME_KEY to a valid one"
    )


def test_a_key_is_not_logged(connect, served, monkeypatch, caplog):
    """Not even where everything is."""
    served.suffer(key="hush-hush")
    monkeypatch.setenv("SOME_KEY", "hush-hush")
    caplog.set_level("DEBUG")

    connect(api_key_env="SOME_KEY").answer([Request("hello")])

    assert "/v1/completions" in caplog.text
    assert "hush-hush" not in caplog.text


def test_a_server_that_wants_a_key_says_how_to_give_one(connect, served):
    """None was sent."""
    served.suffer(key="right-key")

    with pytest.raises(ServerError, match=r'none was sent: name the environment variable .* api_key_env = "…"$'):
        connect().answer([Request("hello")])


def test_a_key_that_is_not_there_is_an_error_before_anything_is_sent(connect, served, monkeypatch):
    """The variable that is to be set is named."""
    monkeypatch.delenv("SOME_KEY", raising=False)

    with pytest.raises(ServerError, match=r"^version 'remote': the environment variable SOME_KEY is not set; expected"):
        connect(api_key_env="SOME_KEY").answer([Request("hello")])
    assert served.asked == []


@pytest.mark.parametrize(
    ("call", "capability"),
    [
        (lambda server: server.logits("text"), "logits"),
        (lambda server: server.tokenizer, "tokenizer"),
    ],
)
def test_what_the_interface_cannot_do_is_a_missing_capability(connect, served, call, capability):
    """Nothing is sent to find that out."""
    with pytest.raises(
        CapabilityMissing, match=rf"^the openai server of 'remote' lacks the capability '{capability}': "
    ):
        call(connect())
    assert served.asked == []


def test_closing_twice_is_harmless(connect):
    """And ends it for good, for threads that outlive a Ctrl-C too."""
    server = connect()
    server.answer([Request("hello")])

    server.close()
    server.close()

    with pytest.raises(ServerError, match="the run is over"):
        server.answer([Request("hello")])
