"""Generated answers: the batch says what each prompt alone would have said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_llmval.servers.engine.generation import end_tokens
from pytest_llmval.servers.engine.stopping import StopStrings
from pytest_llmval.servers.exchange import Decoding, Request

LEAD = "You can return a book at any branch; late returns cost ten cents a day."
LINES = ["The", "library hours", "naïve café, 東京", "Question: what does a lost card cost? Answer:", "🙂", "a b c d"]


def ask(engine: Any, prompts: list[str], **decoding: Any) -> Any:
    """Responses to prompts with one decoding."""
    return engine.answer([Request(prompt, decoding=Decoding(**decoding)) for prompt in prompts])


def insist_on(monkeypatch: pytest.MonkeyPatch, engine: Any, token: int) -> None:
    """Make the model sure of one token at every position."""
    forward = engine.network.model.forward

    def insisting(*args: Any, **options: Any) -> Any:
        output = forward(*args, **options)
        output.logits[..., token] = 1e4
        return output

    monkeypatch.setattr(engine.network.model, "forward", insisting)


@pytest.mark.parametrize(
    "prompts",
    [
        LINES * 2,
        [f"{LEAD} {line}" for line in LINES],
        [LEAD, LEAD, LEAD + " And"],
        [*LINES, LEAD, LEAD + "!", LEAD + "?"],
    ],
    ids=["varied", "shared prefix", "equal prompts", "mixed"],
)
def test_greedy_batch(engine: Any, generated_alone: Any, prompts: list[str]) -> None:
    """A batch gives the tokens that model.generate gives one by one."""
    responses = ask(engine, prompts, max_tokens=16)

    assert [list(response.token_ids) for response in responses] == [
        generated_alone(engine, prompt, 16) for prompt in prompts
    ]


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "gemma", "gpt_neo", "mpt", "lfm2"])
def test_other_architectures(tiny_model: Any, generated_alone: Any, kind: str) -> None:
    """Learned positions, ALiBi, convolutions and windows shorter than the prompts give model.generate's tokens too."""
    from pytest_llmval.servers.engine import TransformersEngine

    engine = TransformersEngine(tiny_model(kind), batch_size=8)
    prompts = [*LINES, *(f"{LEAD} {LEAD} {line}" for line in LINES)]

    responses = ask(engine, prompts, max_tokens=10)

    assert [list(each.token_ids) for each in responses] == [generated_alone(engine, each, 10) for each in prompts]


def test_rows_of_different_length(engine: Any, generated_alone: Any) -> None:
    """Rows that are done leave the batch without disturbing the others."""
    limits = [1, 12, 3, 7, 2, 9]

    responses = engine.answer(
        [Request(line, decoding=Decoding(max_tokens=limit)) for line, limit in zip(LINES, limits, strict=True)]
    )

    assert [list(response.token_ids) for response in responses] == [
        generated_alone(engine, line, limit) for line, limit in zip(LINES, limits, strict=True)
    ]
    assert [response.usage.completion_tokens for response in responses] == limits


def test_repeat(engine: Any) -> None:
    """The same list of requests gives bit-equal logprobs again."""
    first, second = (ask(engine, LINES, max_tokens=8, logprobs=2) for _ in range(2))

    assert [response.logprobs for response in first] == [response.logprobs for response in second]


def test_end_of_sequence(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end token is among the ids, not in the text, and the reason is stop; the config may list several."""
    (open_ended,) = ask(engine, ["The"], max_tokens=8)
    end = open_ended.token_ids[3]
    monkeypatch.setattr(engine.network.model.generation_config, "eos_token_id", [1, end])

    (response,) = ask(engine, ["The"], max_tokens=8)

    assert end_tokens(engine.network, engine.tokenizer) == {1, end}
    assert response.token_ids == open_ended.token_ids[: open_ended.token_ids.index(end) + 1]
    assert response.finish_reason == "stop"


@pytest.mark.parametrize(("token", "stop"), [(1, ()), (2, ("<|user|>",))], ids=["end", "stop string"])
def test_special_token(engine: Any, monkeypatch: pytest.MonkeyPatch, token: int, stop: tuple[str, ...]) -> None:
    """A special token is not text; as end token, or named as stop string, it still ends the answer."""
    insist_on(monkeypatch, engine, token)

    (response,) = ask(engine, ["The"], max_tokens=8, stop=stop)

    assert (response.text, response.token_ids, response.finish_reason) == ("", (token,), "stop")


def test_special_token_in_the_middle(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A special token that ends nothing is among the ids and not in the text."""
    insist_on(monkeypatch, engine, 2)

    (response,) = ask(engine, ["The"], max_tokens=3)

    assert (response.text, response.token_ids, response.finish_reason) == ("", (2, 2, 2), "length")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_stop_string(engine: Any, length: int) -> None:
    """The text ends before the first stop string, also one that spans tokens, and nothing more is generated."""
    free = ask(engine, LINES, max_tokens=24)
    stops = [response.text[6 : 6 + length] for response in free]

    stopped = engine.answer(
        [
            Request(line, decoding=Decoding(max_tokens=24, stop=("never seen", stop)))
            for line, stop in zip(LINES, stops, strict=True)
        ]
    )

    for response, whole, stop in zip(stopped, free, stops, strict=True):
        assert response.text == whole.text[: whole.text.index(stop)]
        assert response.finish_reason == "stop"
        assert response.token_ids == whole.token_ids[: len(response.token_ids)]
        assert stop in engine.tokenizer.decode(response.token_ids)
        assert stop not in engine.tokenizer.decode(response.token_ids[:-1])


def test_first_of_several_stop_strings(engine: Any) -> None:
    """Of several stop strings in one token the one that comes first in the text cuts it."""
    tokens = engine.tokenizer("The library", add_special_tokens=False)["input_ids"]

    text = StopStrings(engine.tokenizer, ("ary", "ibrary", "br")).cut(tokens)

    assert text == "The l"


def test_truncation(engine: Any) -> None:
    """Reaching max_tokens is reported as truncation."""
    (response,) = ask(engine, ["The"], max_tokens=3)

    assert response.truncated
    assert response.usage.completion_tokens == 3


def test_context_exhausted(engine: Any) -> None:
    """An answer that would leave the context is cut there and reported as truncated."""
    prompt = "a " * 60

    (response,) = ask(engine, [prompt], max_tokens=500)

    assert response.truncated
    assert response.usage.prompt_tokens == engine.count_tokens(prompt)
    assert response.usage.prompt_tokens + response.usage.completion_tokens == 128


def test_logprobs(engine: Any, plain_logprobs: Any) -> None:
    """Logprobs are those of a plain forward pass over prompt and answer, best first."""
    responses = ask(engine, [*LINES, LEAD], max_tokens=6, logprobs=3)

    for line, response in zip([*LINES, LEAD], responses, strict=True):
        prompt = engine.tokenizer(line)["input_ids"]
        expected = plain_logprobs([*prompt, *response.token_ids])[len(prompt) - 1 : -1]
        best = expected.topk(3)
        assert [entry.token_id for entry in response.logprobs] == list(response.token_ids)
        assert [entry.logprob for entry in response.logprobs] == pytest.approx(best.values[:, 0].tolist(), abs=1e-4)
        tops = [dict(entry.top) for entry in response.logprobs]
        assert [list(top) for top in tops] == best.indices.tolist()
        assert [list(top.values()) for top in tops] == [pytest.approx(row, abs=1e-4) for row in best.values.tolist()]


def test_logprobs_only_where_asked(engine: Any) -> None:
    """Neighbours may ask for none, for the chosen token alone, and for alternatives."""
    wishes = [None, 0, 2, 10_000]

    responses = engine.answer([Request("The", decoding=Decoding(max_tokens=2, logprobs=wish)) for wish in wishes])

    tops = [None if each.logprobs is None else [len(entry.top) for entry in each.logprobs] for each in responses]
    assert tops == [None, [0, 0], [2, 2], [400, 400]]


def test_logprobs_when_sampling(engine: Any, plain_logprobs: Any) -> None:
    """Logprobs are the model's own, before temperature, top-k and top-p."""
    request = Request("The", decoding=Decoding(max_tokens=5, temperature=2.0, top_k=5, logprobs=1), seed=3)

    (response,) = engine.answer([request])

    prompt = engine.tokenizer("The")["input_ids"]
    rows = plain_logprobs([*prompt, *response.token_ids])[len(prompt) - 1 : -1]
    expected = rows.gather(-1, torch.tensor(response.token_ids).unsqueeze(-1)).squeeze(-1).tolist()
    assert [entry.logprob for entry in response.logprobs] == pytest.approx(expected, abs=1e-4)


def test_timing(engine: Any) -> None:
    """Requests of one batch share their start, seconds and size."""
    responses = ask(engine, LINES, max_tokens=2)

    assert len({response.timing for response in responses}) == 1
    assert responses[0].timing.batch == len(LINES)
    assert responses[0].timing.seconds > 0
    assert responses[0].timing.started_at.endswith("+00:00")


def test_bfloat16(tiny_model: Any) -> None:
    """A bfloat16 model answers, with logprobs computed in float32."""
    import dataclasses

    from pytest_llmval.servers.engine import TransformersEngine

    engine = TransformersEngine(dataclasses.replace(tiny_model("llama"), dtype="bfloat16"))

    responses = ask(engine, LINES, max_tokens=4, logprobs=1)

    assert engine.network.model.dtype == torch.bfloat16
    assert all(response.usage.completion_tokens == 4 for response in responses)
    logprobs = torch.tensor([entry.logprob for response in responses for entry in response.logprobs])
    assert not torch.equal(logprobs, logprobs.bfloat16().float())
