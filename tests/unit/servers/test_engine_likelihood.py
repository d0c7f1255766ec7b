"""Likelihoods: batched over shared contexts, equal to a plain forward pass over each whole text."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.encoding import encode_pair, render
from pytest_llmval.servers.exchange import Message, Request

LEAD = "You can return a book at any branch; late returns cost ten cents a day. Question: "
PAIRS = [
    ("The library", " hours"),
    ("The library", " opening hours are nine to five"),
    ("The library ", "hours"),
    ("The lib", "rary"),
    ("", "東京 and 🙂"),
    (LEAD + "what does a lost card cost?", " five euros"),
    (LEAD + "what does a late book cost?", " ten cents a day"),
    (LEAD + "what does a late book cost?", " 1"),
    ("The library", " hours"),
]


def plain_scores(engine: Any, plain_logprobs: Any, context: str, continuation: str, *, special: bool = True) -> Any:
    """Logprobs of the continuation's tokens, and whether each is the most probable, by one forward pass."""
    before, after = encode_pair(engine.tokenizer, context, continuation, special=special)
    rows = plain_logprobs(before + after)[len(before) - 1 : -1]
    return [float(row[token]) for row, token in zip(rows, after, strict=True)], rows.argmax(-1).tolist() == after


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_loglikelihood(tiny_model: Any, engine: Any, plain_logprobs: Any, batch_size: int) -> None:
    """Each continuation gets what a plain forward pass gives it, whatever the batch."""
    found = TransformersEngine(tiny_model("llama"), batch_size).loglikelihood(PAIRS)

    for pair, likelihood in zip(PAIRS, found, strict=True):
        expected, is_greedy = plain_scores(engine, plain_logprobs, *pair)
        assert likelihood.token_logprobs == pytest.approx(expected, abs=1e-4)
        assert likelihood.logprob == pytest.approx(math.fsum(expected), abs=1e-4)
        assert likelihood.is_greedy is is_greedy


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "gemma", "gpt_neo", "mpt", "lfm2"])
def test_other_architectures(tiny_model: Any, kind: str) -> None:
    """Learned positions, ALiBi, convolutions and windows shorter than the contexts give the plain scores too."""
    engine = TransformersEngine(tiny_model(kind))

    found = engine.loglikelihood(PAIRS)

    for pair, likelihood in zip(PAIRS, found, strict=True):
        with torch.inference_mode():
            expected, _ = plain_scores(
                engine, lambda ids: engine.network.model(torch.tensor([ids])).logits[0].log_softmax(-1), *pair
            )
        assert likelihood.token_logprobs == pytest.approx(expected, abs=1e-4)


def test_without_resumable_cache(tiny_model: Any) -> None:
    """A model whose cache cannot be continued has each row read whole, with the same result."""
    engine, whole = (TransformersEngine(tiny_model("llama")) for _ in range(2))
    whole.network.resumable = False

    found, expected = whole.loglikelihood(PAIRS), engine.loglikelihood(PAIRS)

    assert [each.token_logprobs for each in found] == [
        pytest.approx(each.token_logprobs, abs=1e-4) for each in expected
    ]


def test_bfloat16(tiny_model: Any) -> None:
    """Scores of a bfloat16 model are float32: finer than the steps of its logits."""
    engine = TransformersEngine(dataclasses.replace(tiny_model("llama"), dtype="bfloat16"))

    scores = torch.tensor([each for pair in engine.loglikelihood(PAIRS) for each in pair.token_logprobs])

    assert not torch.equal(scores, scores.bfloat16().float())


def test_greedy_continuation(engine: Any) -> None:
    """What the model itself generates is greedy; with another last token it is not."""
    (response,) = engine.answer([Request("The library")])
    text = engine.tokenizer.decode(response.token_ids[:1])

    own, other = engine.loglikelihood([("The library", text), ("The library", text + " Saturdays")])

    assert own.is_greedy
    assert not other.is_greedy


def test_choice(engine: Any, plain_logprobs: Any) -> None:
    """A choice request names the option with the highest log-likelihood and gives all of them."""
    options = (" five euros", " ten", " nothing at all, 東京", "!")
    prompt = LEAD + "what does a lost card cost?"

    (response,) = engine.answer([Request(prompt, choices=options)])

    expected = [math.fsum(plain_scores(engine, plain_logprobs, prompt, option)[0]) for option in options]
    assert response.choice.logprobs == pytest.approx(expected, abs=1e-4)
    assert response.choice.index == expected.index(max(expected))
    assert response.choice.lengths == (11, 4, 19, 1)
    assert (response.text, response.finish_reason) == (options[response.choice.index], "choice")
    assert response.usage.completion_tokens == 0


def test_choices_of_a_chat(engine: Any, plain_logprobs: Any) -> None:
    """Choices follow the rendered conversation, which has its BOS already."""
    chat = (Message("user", "What does a lost card cost?"),)

    (response,) = engine.answer([Request(chat, choices=("five euros", "ten"))])

    text, _ = render(engine.tokenizer, chat)
    expected = [
        math.fsum(plain_scores(engine, plain_logprobs, text, option, special=False)[0])
        for option in ("five euros", "ten")
    ]
    assert response.choice.logprobs == pytest.approx(expected, abs=1e-4)


def test_choices_that_merge(engine: Any, plain_logprobs: Any) -> None:
    """Options that change the context's last tokens are scored beside options that do not."""
    options = ("rary", " is open", "ur")

    (response,) = engine.answer([Request("The lib", choices=options)])

    expected = [math.fsum(plain_scores(engine, plain_logprobs, "The lib", option)[0]) for option in options]
    assert response.choice.logprobs == pytest.approx(expected, abs=1e-4)


def test_tie(engine: Any) -> None:
    """Of equally probable options the first is chosen."""
    (response,) = engine.answer([Request("The", choices=(" a", " a"))])

    assert response.choice.logprobs[0] == response.choice.logprobs[1]
    assert response.choice.index == 0


def test_choices_beside_generation(engine: Any) -> None:
    """Choices and prompts may be asked together; answers come in order."""
    requests = [Request("The"), Request("The", choices=(" a", " b")), Request("A"), Request("", choices=("x", "y"))]

    responses = engine.answer(requests)

    assert [response.choice is not None for response in responses] == [False, True, False, True]
    assert [response.error for response in responses] == [None] * 4


def test_choice_without_token(engine: Any) -> None:
    """A choice that tokenises to nothing fails its request with a reason, and no other."""
    empty, sound = engine.answer([Request("The", choices=(" a", "")), Request("The", choices=(" a", " b"))])

    assert empty.error == "continuation '' has no token of its own; expected at least one"
    assert sound.error is None


def test_choice_too_long(engine: Any) -> None:
    """A context and choice beyond the model's context fail with the numbers."""
    prompt = "a " * 120

    (response,) = engine.answer([Request(prompt, choices=(" b", " b" * 10))])

    before, after = encode_pair(engine.tokenizer, prompt, " b" * 10, special=True)
    needed = len(before) + len(after) - 1
    assert response.error == (
        f"context of {len(before)} and continuation of {len(after)} tokens need {needed} positions; the model has 128"
    )


def test_choice_that_just_fits(engine: Any) -> None:
    """The last token is scored, not read, so context and continuation may be one longer than the context."""
    tokens = next(n for n in range(60, 130) if engine.count_tokens("a " * n + "a") == 129)

    (likelihood,) = engine.loglikelihood([("a " * tokens, "a")])

    assert math.isfinite(likelihood.logprob)


def test_refused_pair(engine: Any) -> None:
    """A pair that cannot be scored stops the call, which says which pair it was."""
    with pytest.raises(RequestRefused, match=r"^pair 1 \('The', ''\): continuation '' has no token"):
        engine.loglikelihood([("The", " a"), ("The", "")])


def test_nan_scores(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN log-likelihoods are an error, not a choice of the first option."""
    forward = engine.network.model.forward

    def broken(*args: Any, **options: Any) -> Any:
        output = forward(*args, **options)
        output.logits[:] = math.nan
        return output

    monkeypatch.setattr(engine.network.model, "forward", broken)

    choice, text = engine.answer([Request("The", choices=(" a", " b")), Request("The")])

    assert choice.error == "the log-likelihoods of the choices are [nan, nan]; expected numbers"
    assert text.error == "the model's logits are NaN after 0 generated tokens"


def test_logits(engine: Any) -> None:
    """Logits are those of a plain forward pass, float32, one row a token."""
    logits = engine.logits("The library hours")

    ids = engine.tokenizer("The library hours", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        expected = engine.network.model(ids).logits[0].numpy()
    assert logits.dtype == np.float32
    assert logits.shape == (ids.shape[1], 400)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_logits_too_long(engine: Any) -> None:
    """A prompt longer than the context has no logits."""
    tokens = engine.count_tokens("a " * 140)

    with pytest.raises(RequestRefused, match=f"prompt has {tokens} tokens; the model's context takes at most 128"):
        engine.logits("a " * 140)
