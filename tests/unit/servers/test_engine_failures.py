"""What cannot be answered fails alone, and says why."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.exchange import Decoding, Message, Request

LONG = "a " * 140


POISON = 3
"""A token of the chat template, in no plain prompt."""


@pytest.fixture
def fragile(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An engine whose model runs out of memory when the poisonous token is among its input."""
    engine = TransformersEngine(tiny_model("llama"))
    forward = engine.network.model.forward

    def failing(*args: Any, **options: Any) -> Any:
        if (options["input_ids"] == POISON).any():
            msg = "out of memory"
            raise RuntimeError(msg)
        return forward(*args, **options)

    monkeypatch.setattr(engine.network.model, "forward", failing)
    return engine


def test_no_memory_for_any_request(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When torch can allocate for none of several requests, the server has failed, not the model."""
    engine = TransformersEngine(tiny_model("llama"))
    monkeypatch.setattr(engine.network.model, "forward", lambda **_: torch.empty(2**55))

    with pytest.raises(ServerError, match=r"no memory for any of 2 requests; the last one: .*can't allocate memory"):
        engine.answer([Request("The"), Request("A book")])
    assert "can't allocate memory" in engine.answer([Request("The")])[0].error


def test_prompt_too_long(engine: Any) -> None:
    """A prompt that leaves no room for an answer fails with the numbers; its neighbours are answered."""
    before, response, after = engine.answer([Request("The"), Request(LONG), Request("A")])

    tokens = engine.count_tokens(LONG)
    assert response.error == (
        f"prompt has {tokens} tokens; the model's context of 128 tokens takes at most 127 and one generated"
    )
    assert response.finish_reason == "error"
    assert before.error is after.error is None


def test_longest_prompt(engine: Any) -> None:
    """A prompt of one token less than the context gets one token of answer, a longer one none."""
    prompts = [
        next("a " * n + "a" for n in range(130) if engine.count_tokens("a " * n + "a") == size) for size in (127, 128)
    ]

    fitting, longer = engine.answer([Request(prompt, decoding=Decoding(max_tokens=9)) for prompt in prompts])

    assert fitting.error is None
    assert fitting.usage.completion_tokens == 1
    assert longer.error.startswith("prompt has 128 tokens; the model's context of 128 tokens takes at most 127")


def test_empty_prompt(engine: Any) -> None:
    """An empty prompt fails with a reason."""
    (response,) = engine.answer([Request("")])

    assert response.error == "prompt '' is empty; expected at least one token of text"


@pytest.mark.parametrize("prompt", ["a \ud83d b", (Message("user", "a \ud83d b"),)], ids=["text", "chat"])
def test_half_of_a_surrogate_pair(engine: Any, prompt: Any) -> None:
    """No tokenizer takes it: it fails with its place, and the others of its batch are answered."""
    response, other = engine.answer([Request(prompt), Request("A book", decoding=Decoding(max_tokens=2))])

    assert "is half of a surrogate pair; expected text as UTF-8 has it" in response.error
    assert other.error is None


def test_one_request_breaks_its_batch(fragile: Any) -> None:
    """When a batch raises, each of its requests is asked alone, so that only the culprit fails."""
    culprit = Request((Message("user", "The"),))

    responses = fragile.answer([Request("The"), culprit, Request("A book")])

    assert [response.error for response in responses] == [
        None,
        "the model failed on this request: RuntimeError: out of memory",
        None,
    ]
    assert [response.timing.batch for response in responses] == [1, 1, 1]


def test_one_question_breaks_its_batch(fragile: Any) -> None:
    """The same holds for choices."""
    questions = [Request(prompt, choices=(" a", " b")) for prompt in ("The", (Message("user", "The"),), "A book")]

    responses = fragile.answer(questions)

    assert [response.error is None for response in responses] == [True, False, True]


def test_no_requests(engine: Any) -> None:
    """No request, no response."""
    assert engine.answer([]) == []
    assert engine.loglikelihood([]) == []
    assert engine.document_likelihood([]) == []


def test_closing_twice(tiny_model: Any) -> None:
    """A closed engine holds nothing; closing it again is harmless and asking it loads again."""
    engine = TransformersEngine(tiny_model("llama"))
    (before,) = engine.answer([Request("The")])

    engine.close()
    engine.close()

    assert not {"network", "tokenizer"} & set(vars(engine))
    assert engine.answer([Request("The")])[0].token_ids == before.token_ids
