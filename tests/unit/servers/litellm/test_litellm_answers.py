"""Answers through litellm against those of the engine that the real server asks."""

from __future__ import annotations

import asyncio
from threading import current_thread, main_thread

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import CapabilityMissing, ServerError
from pytest_llmval.servers.exchange import Request

pytestmark = pytest.mark.servers

PROMPTS = [f"Question {number}: what does a lost card cost?" for number in range(8)]
CONVERSATION = (Message("user", "opening hours?"),)


def told(response):
    """All of a response but its times."""
    return response.text, response.finish_reason, response.usage


@pytest.mark.parametrize("prompts", [PROMPTS, [(Message("user", each),) for each in PROMPTS]], ids=["prompts", "chat"])
def test_greedy_texts_and_usage_are_those_of_the_engine(connect, served, engine, prompts):
    """Text, end and counted tokens are the same in order; each request reached the server once, and no other."""
    asked = [Request(prompt, decoding=Decoding(max_tokens=12)) for prompt in prompts]

    found, expected = connect().answer(asked), engine.answer(asked)

    assert [told(each) for each in found] == [told(each) for each in expected]
    assert len(served.asked) == len(prompts)


def test_what_is_sent_is_what_was_asked(connect, served):
    """Nothing is added to a request; the key of the server is said to be none."""
    connect().answer([Request("hello", decoding=Decoding(max_tokens=3))])

    (asked,) = served.asked
    assert asked["path"] == "/v1/completions"
    assert asked["key"] == "Bearer none"
    assert asked["body"] == {"model": "tiny", "prompt": "hello", "max_tokens": 3, "temperature": 0.0}


@pytest.mark.parametrize("prompt", ["The opening", CONVERSATION], ids=["prompts", "chat"])
def test_sampling_is_that_of_the_engine(connect, engine, prompt):
    """Temperature, top-p, top-k, stop strings and each request's seed arrive."""
    decoding = Decoding(max_tokens=16, temperature=0.9, top_p=0.8, top_k=50, stop=("e",))
    asked = [Request(prompt, decoding=decoding, seed=seed) for seed in (1, 2, 2)]

    found, expected = connect().answer(asked), engine.answer(asked)

    assert [each.text for each in found] == [each.text for each in expected]
    assert found[0].text != found[1].text


@pytest.mark.parametrize("prompt", ["The library", CONVERSATION], ids=["prompts", "chat"])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "in pieces"])
def test_logprobs_are_those_of_the_engine(connect, engine, prompt, streams):
    """Tokens, ids and logprobs agree to 1e-4, also where pieces were wanted, from which litellm would drop them."""
    request = Request(prompt, decoding=Decoding(max_tokens=6, logprobs=3))

    (found,), (expected,) = connect(streams=streams).answer([request]), engine.answer([request])

    assert found.token_ids == expected.token_ids
    assert [(each.token_id, each.token) for each in found.logprobs] == [
        (each.token_id, each.token) for each in expected.logprobs
    ]
    assert [each.logprob for each in found.logprobs] == pytest.approx(
        [each.logprob for each in expected.logprobs], abs=1e-4
    )


def test_choices_and_likelihoods_are_those_of_the_engine(connect, engine):
    """The echo of a prompt arrives as it came."""
    server, pair = connect(), ("The opening hours of the library are", " nine to five")
    request = Request("A lost card costs", (" five euros", " ten cents", " nothing"))

    (found,), (expected,) = server.answer([request]), engine.answer([request])
    (read,), (known,) = server.loglikelihood([pair]), engine.loglikelihood([pair])

    assert found.choice.index == expected.choice.index
    assert found.choice.logprobs == pytest.approx(expected.choice.logprobs, abs=1e-4)
    assert read.token_logprobs == pytest.approx(known.token_logprobs, abs=1e-4)


def test_the_server_is_found_to_do_what_it_does(connect):
    """Everything, as over plain HTTP; pieces come of conversations."""
    probed = connect().probed

    assert all(each.holds for each in probed.findings), list(map(str, probed.findings))


@pytest.mark.parametrize(
    ("defects", "name"),
    [
        ({"ignores_logprobs": True}, "logprobs"),
        ({"ignores_seed": True}, "seed"),
        ({"echo_shifted": True}, "loglikelihood"),
    ],
    ids=str,
)
def test_a_defect_is_found_through_litellm(connect, served, defects, name):
    """As it is without."""
    served.suffer(**defects)

    assert not connect().probed.holds(name)


def test_a_parameter_that_the_provider_does_not_take_is_refused(connect, served):
    """It could be dropped without a word; here the request fails and says why."""
    served.suffer(refuses=["seed"])

    (found,) = connect().answer([Request("hello", decoding=Decoding(temperature=1.0), seed=3)])

    assert found.error.endswith("the server refused the request (400: unknown parameter seed)")


def test_a_parameter_that_litellm_knows_not_to_be_taken_is_refused(connect, served):
    """The same, and nothing is sent."""
    (found,) = connect(model="openai/gpt-5-mini").answer([Request(CONVERSATION, decoding=Decoding(max_tokens=4))])

    assert "the server refused the request (400: litellm.UnsupportedParamsError: " in found.error
    assert served.asked == []


@pytest.mark.parametrize(
    ("model", "prompt", "message"),
    [
        (
            "openai/gpt-4o-mini",
            "hello",
            "litellm has no prompts for 'openai/gpt-4o-mini' and would make messages of them",
        ),
        (
            "text-completion-openai/tiny",
            CONVERSATION,
            "litellm has no messages for 'text-completion-openai/tiny' and would make prompts of them",
        ),
    ],
)
def test_what_litellm_would_translate_is_not_sent(connect, served, model, prompt, message):
    """A prompt that becomes a message is another question, and the other way round."""
    with pytest.raises(ServerError) as caught:
        connect(model=model).answer([Request(prompt)])

    assert message in str(caught.value)
    assert served.asked == []


def test_a_model_that_is_only_asked_over_chat(connect, served):
    """Its capabilities are those of chat, pieces among them; prompts are not even tried."""
    probed = connect(model="mistral/tiny").probed

    assert probed.evidence("completions").endswith("would make messages of them; expected messages")
    assert probed.holds("chat")
    assert probed.holds("streaming")
    assert {each["path"] for each in served.asked} == {"/v1/chat/completions"}


def test_another_provider_with_prompts_and_messages(connect, engine):
    """hosted_vllm goes through other parts of litellm."""
    asked = [
        Request("The library", decoding=Decoding(max_tokens=4)),
        Request(CONVERSATION, decoding=Decoding(max_tokens=4)),
    ]

    found, expected = connect(model="hosted_vllm/tiny").answer(asked), engine.answer(asked)

    assert [told(each) for each in found] == [told(each) for each in expected]


def test_it_was_not_started_by_this_run(connect):
    """So it cannot be restarted."""
    with pytest.raises(CapabilityMissing, match=r"^the model of 'hosted' is 'openai/tiny' by litellm, not started by "):
        connect().restart()


def test_no_event_loop_is_left_in_the_main_thread(connect, monkeypatch):
    """Where litellm is asked there it makes one and never closes it, which is a warning in somebody else's test."""
    made = []

    class Watched(type(asyncio.get_event_loop_policy())):
        def new_event_loop(self):
            made.append(current_thread())
            return super().new_event_loop()

    monkeypatch.setattr(asyncio.events, "_event_loop_policy", Watched())

    assert connect(model="hosted_vllm/tiny").capabilities.chat
    assert connect().capabilities.chat
    assert main_thread() not in made


def test_closing_twice_is_harmless(connect):
    """And ends it for good."""
    server = connect()
    server.answer([Request("hello")])

    server.close()
    server.close()

    with pytest.raises(ServerError, match="the run is over"):
        server.answer([Request("hello")])
