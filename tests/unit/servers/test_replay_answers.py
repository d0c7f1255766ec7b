"""A log of answers stands in for the model that gave them."""

import json

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import CapabilityMissing, SettingsError
from pytest_llmval.records.record import Record, to_json
from pytest_llmval.servers.exchange import Request, Response, Usage
from pytest_llmval.servers.replay import ReplayServer


@pytest.fixture
def log(tmp_path):
    """A function that writes lines and opens them."""

    def write(*lines):
        path = tmp_path / "log.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return ReplayServer.from_file(path)

    return write


def ask(server, *prompts, seed=0):
    """The texts of the answers."""
    return [response.text for response in server.answer([Request(prompt, seed=seed) for prompt in prompts])]


@pytest.mark.parametrize("name", ["response", "text", "output", "completion", "answer"])
@pytest.mark.parametrize("asked", ["prompt", "input"])
def test_the_words_of_many_logs_are_read(log, name, asked):
    """What was asked and what was answered go by several names."""
    assert ask(log({asked: "is it open?", name: "it is"}), "is it open?") == ["it is"]


def test_a_conversation_is_found_by_its_messages(log):
    """One of a single user message is the same as its text."""
    talk = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "open?"}]
    server = log({"messages": talk, "response": "yes"}, {"messages": talk[1:], "response": "it is"})

    assert ask(server, tuple(Message(**each) for each in talk), "open?") == ["yes", "it is"]


def test_what_the_log_knows_beside_the_text(log):
    """Tokens, seconds, dollars, and whether the answer was cut; all of it was measured elsewhere."""
    line = {"prompt": "a", "response": "b", "usage": {"prompt_tokens": 7, "completion_tokens": 2}, "seconds": 1.5}
    server = log(line | {"finish_reason": "length", "cost": 0.25})

    (response,) = server.answer([Request("a")])

    assert (response.usage, response.timing.seconds, response.cost) == (Usage(7, 2), 1.5, 0.25)
    assert response.truncated
    assert response.replayed


def test_each_answer_counts_once(log):
    """Trials of a case take the next one each, the same seed the same one; a third trial has none."""
    server = log(*({"prompt": "a", "response": text} for text in ("first", "second")))

    assert ask(server, "a", seed=7) == ["first"]
    assert ask(server, "a", seed=8) == ["second"]
    assert ask(server, "a", seed=7) == ["first"]
    (none,) = server.answer([Request("a", seed=9)])
    assert none.error == "the log has 2 answers to the prompt 'a', and each counts once"


def test_what_was_not_asked_then_has_no_answer(log):
    """It fails alone, with the prompt."""
    first, second = log({"prompt": "a", "response": "b"}).answer([Request("a"), Request("z")])

    assert first.error is None
    assert second.error == "the log has no answer to the prompt 'z'"


def test_an_answer_that_failed_then_failed(log):
    """Its reason is kept."""
    (response,) = log({"prompt": "a", "error": "the server hung up"}).answer([Request("a")])

    assert response.error == "the server hung up"


def test_records_of_a_run_are_read(log):
    """A run's own segments are logs as well."""
    asked, answered = Request("is it open?"), Response("it is", usage=Usage(4, 2))
    record = Record("key", "v1", "f" * 64, "faq@1", "a", 0, asked, answered, recorded_at="2026-01-01", run_id="r1")

    (response,) = log(to_json(record)).answer([asked])

    assert (response.text, response.usage, response.replayed) == ("it is", Usage(4, 2), True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "JSONDecodeError"),
        ({"response": "b"}, "there is none of messages, prompt, input"),
        ({"prompt": "a"}, "there is no text under any of response, text, output, completion, answer"),
        ({"prompt": "a", "response": 3}, "there is no text under any of"),
        ({"messages": [{"who": "me"}], "response": "b"}, "Error"),
        ("[1]", "Error"),
    ],
)
def test_a_line_that_is_none(log, line, reason):
    """The message names file and line, what is expected, and what is missing."""
    with pytest.raises(SettingsError) as caught:
        log({"prompt": "a", "response": "b"}, line)

    assert str(caught.value).startswith('log.jsonl:2: expected {"prompt" or "messages": …, "response": …}, got ')
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "capability"),
    [(Request("a", ("b", "c")), "loglikelihood"), (Request("a", decoding=Decoding(logprobs=1)), "logprobs")],
)
def test_what_a_log_does_not_have(log, request_, capability):
    """Probabilities were not written down: the test is skipped with the capability's name."""
    with pytest.raises(CapabilityMissing, match=f"replay server lacks the capability '{capability}': it has what was"):
        log({"prompt": "a", "response": "b"}).answer([request_])
