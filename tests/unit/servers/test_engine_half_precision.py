"""Half precision: logits come in the model's dtype, logprobs are taken from them in float32."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.exchange import Decoding, Request


@pytest.fixture(params=["bfloat16", "float16"])
def half(tiny_model: Any, request: pytest.FixtureRequest) -> TransformersEngine:
    """The engine of a tiny random Llama in half precision."""
    return TransformersEngine(dataclasses.replace(tiny_model("llama"), dtype=request.param))


@pytest.fixture
def logits(half: TransformersEngine) -> list[torch.Tensor]:
    """Logits of every forward pass of the test, `[rows, columns, vocabulary]`, as the model gave them."""
    seen: list[torch.Tensor] = []
    half.network.model.register_forward_hook(lambda _module, _inputs, output: seen.append(output.logits))
    return seen


def assert_taken_in_float32(found: list[float], logits: torch.Tensor, tokens: list[int]) -> None:
    """The logprobs of the tokens are those of the rows of logits, and finer than the dtype of these."""
    rows = torch.arange(len(tokens))
    expected = logits.float().log_softmax(-1)[rows, tokens]
    coarse = logits.log_softmax(-1)[rows, tokens].float()

    assert logits.dtype in (torch.bfloat16, torch.float16)
    assert torch.tensor(found) == pytest.approx(expected, abs=1e-5)
    assert (torch.tensor(found) - coarse).abs().max() > 1e-4


def test_given_tokens(half: TransformersEngine, logits: list[torch.Tensor]) -> None:
    """Log-likelihoods of a continuation are the float32 log-softmax of the logits in half precision."""
    context, continuation = "The opening hours of the library", " are nine to five on weekdays"
    tokens = half.tokenizer(continuation, add_special_tokens=False)["input_ids"]

    scores = half.loglikelihood([(context, continuation)])[0]

    assert_taken_in_float32(list(scores.token_logprobs), logits[-1][0, -len(tokens) :], tokens)
    assert scores.logprob == pytest.approx(sum(scores.token_logprobs), abs=1e-9)


def test_generated_tokens(half: TransformersEngine, logits: list[torch.Tensor]) -> None:
    """So are the logprobs of what the model generates."""
    request = Request("The opening hours", decoding=Decoding(max_tokens=6, logprobs=2))

    (response,) = half.answer([request])

    steps = torch.stack([each[0, -1] for each in logits[-len(response.token_ids) :]])
    assert_taken_in_float32([each.logprob for each in response.logprobs], steps, list(response.token_ids))
