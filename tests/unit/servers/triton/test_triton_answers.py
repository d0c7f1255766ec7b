"""The example model on a real Triton gives the answers of the engine over the same weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.servers.exchange import Decoding, Message, Request
from pytest_llmval.servers.server import Capabilities

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.models, pytest.mark.servers]

WAYS = {
    "generate": {},
    "generate_stream": {"streams": True},
    "infer over HTTP": {"model": "whole"},
    "infer over gRPC": {"model": "whole", "protocol": "grpc"},
    "stream over gRPC": {"protocol": "grpc", "streams": True},
}


@pytest.fixture(params=WAYS)
def server(request, connect, without_generate):
    """The example model, asked in each way."""
    url = {"url": without_generate} if request.param == "infer over HTTP" else {}
    return connect(**WAYS[request.param] | url)


@pytest.fixture(scope="session")
def questions(pytestconfig) -> list[str]:
    """16 questions of the example suites."""
    rows: Path = pytestconfig.rootpath / "example_suites" / "data" / "faq.jsonl"
    return [json.loads(line)["question"] for line in rows.read_text().splitlines()[::5][:16]]


def asked(prompts, **decoding):
    """Requests for these prompts."""
    return [Request(prompt, decoding=Decoding(**{"max_tokens": 16} | decoding)) for prompt in prompts]


def facts(responses):
    """What is the same wherever it is computed."""
    return [(each.error, each.text, each.token_ids, each.finish_reason, each.usage) for each in responses]


def test_greedy_answers_are_the_engines(server, engine, questions):
    """Texts, ids, ends and counts of 16 prompts, in every way in which Triton can be asked."""
    requests = asked(questions)

    assert len(requests) == 16
    assert facts(server.answer(requests)) == facts(engine.answer(requests))


def test_a_stop_string_ends_the_answer(server, engine, questions):
    """It is no part of the answer, and what is not sent of a piece may still become one."""
    requests = asked(questions[:6], stop=("e c", "ou", "."))

    found = server.answer(requests)

    assert facts(found) == facts(engine.answer(requests))
    assert [each.finish_reason for each in found].count("stop") >= 4


def test_a_seed_repeats_a_draw(server, questions):
    """Twice the same text by the same seed, another one by another seed."""
    decoding = Decoding(max_tokens=16, temperature=1.0)
    drawn = [Request(questions[0], decoding=decoding, seed=seed) for seed in (1, 1, 2**62, 3)]

    first, again, *others = [each.text for each in server.answer(drawn)]

    assert first == again
    assert set(others) != {first}


def test_an_over_long_prompt_is_refused(server):
    """That request fails with the model's words, another one asked with it does not."""
    refused, answered = server.answer(asked(["word " * 600, "How long"]))

    assert "the server refused the request (" in refused.error
    assert refused.error.endswith("the prompt has 1201 tokens; expected 1 to 512)")
    assert answered.error is None


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_choices_and_continuations_are_the_engines(connect, engine, questions, protocol):
    """The model tells the logprobs of a prompt, from which both are taken."""
    server = connect(protocol=protocol)
    requests = [Request(question, choices=(" You can return it", " Never", " Yes")) for question in questions[:4]]
    pairs = [(question, " You can return any unused item") for question in questions[:4]]

    found, expected = server.answer(requests), engine.answer(requests)
    assert [each.choice.index for each in found] == [each.choice.index for each in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.choice.logprobs == pytest.approx(theirs.choice.logprobs, abs=1e-3)
    for ours, theirs in zip(server.loglikelihood(pairs), engine.loglikelihood(pairs), strict=True):
        assert ours.token_logprobs == pytest.approx(theirs.token_logprobs, abs=1e-3)
        assert ours.is_greedy == theirs.is_greedy


def test_logprobs_are_the_engines(connect, engine, questions):
    """One a generated token, with its id and its text."""
    requests = asked(questions[:2], logprobs=0)

    for ours, theirs in zip(connect().answer(requests), engine.answer(requests), strict=True):
        assert [(each.token_id, each.token) for each in ours.logprobs] == [
            (each.token_id, each.token) for each in theirs.logprobs
        ]
        assert [each.logprob for each in ours.logprobs] == pytest.approx(
            [each.logprob for each in theirs.logprobs], abs=1e-3
        )


def test_conversations_go_through_the_references_template(connect, engine, v1_folder, questions):
    """The text that the server gets has its special tokens once: the count of tokens is that of the engine."""
    requests = asked([(Message("user", question),) for question in questions[:4]])

    found, expected = connect(reference=v1_folder).answer(requests), engine.answer(requests)

    assert facts(found) == facts(expected)


def test_conversations_without_a_reference(connect):
    """Are no request's fault: the capability is missing, and the message says what gives it."""
    expected = (
        r"^the triton server of 'served' lacks the capability 'chat': Triton has no chat template; name a folder with "
        r"the model's own with reference = \"…\"$"
    )
    with pytest.raises(CapabilityMissing, match=expected):
        connect().answer(asked([(Message("user", "How long?"),)]))


def test_what_the_example_can_do_is_found_by_asking_it(connect, v1_folder):
    """All but logits and JSON of a schema; each finding has its evidence."""
    server = connect(reference=v1_folder)

    assert server.capabilities == Capabilities(
        chat=True, logprobs=True, loglikelihood=True, seed=True, stop=True, token_ids=True, streaming=True
    )
    evidence = {finding.name: finding.evidence for finding in server.findings}
    assert "have the same logprobs when read" in evidence["loglikelihood"]
    assert evidence["n"].endswith("/v2/models/assistant: n=2: the model 'assistant' answers once")
    assert evidence["json_schema"].endswith("the model 'assistant' cannot be told a schema")


def test_a_model_that_answers_in_one_piece_does_not_stream(connect):
    """The evidence says what its configuration would need."""
    expected = (
        r"lacks the capability 'streaming': .*: the model 'whole' answers in one piece; its configuration would need "
        r"model_transaction_policy \{ decoupled: true \}$"
    )
    with pytest.raises(CapabilityMissing, match=expected):
        connect("whole").answer_in_pieces(asked(["How long"]))


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_pieces_tell_the_time_of_the_first_token(connect, protocol, questions):
    """It comes before the end, of which a request in one piece knows nothing."""
    server = connect(protocol=protocol)

    (streamed,) = server.answer_in_pieces(asked(questions[:1], max_tokens=40))
    (whole,) = server.answer(asked(questions[:1], max_tokens=40))

    assert 0 < streamed.timing.first_token_seconds < streamed.timing.seconds
    assert whole.timing.first_token_seconds is None
    assert streamed.text == whole.text


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_eight_at_a_time_change_no_answer(connect, engine, questions, protocol):
    """Each gets its own answer back, twice over all questions."""
    requests = asked(questions * 2)

    found = connect(protocol=protocol, concurrency=8).answer(requests)

    assert [each.text for each in found] == [each.text for each in engine.answer(requests)]


def test_a_version_of_the_model_is_asked(connect, questions):
    """The one that is named by revision."""
    server = connect(revision="1")

    assert server.answer(asked(questions[:1]))[0].error is None
    assert "/v2/models/assistant/versions/1: " in server.probed.evidence("n")
