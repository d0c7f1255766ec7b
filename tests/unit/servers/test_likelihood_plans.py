"""However likelihoods are computed, they are those of one plain forward pass a continuation; the way is reported."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest
import torch

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.likelihood import Pair, plan_likelihood, score_pairs
from pytest_llmval.servers.engine.network import Network
from pytest_llmval.servers.engine.packing import readings_of, score_packed
from pytest_llmval.servers.engine.plan import Costs, Readings, pack
from pytest_llmval.servers.exchange import Request

STEM = tuple(range(20, 60))
PAIRS = [
    *(Pair((0, *STEM), (100 + at, 110, 120 + at)) for at in range(4)),
    *(Pair((0, *STEM, 70 + at), (90,)) for at in range(5)),
    Pair((0, *STEM[:30]), STEM[30:34]),
    Pair((0, *STEM[:30]), (*STEM[30:33], 7)),
    Pair((0,), (33, 34)),
    Pair((0,), (33,)),
    Pair((0, 33), (34, 35)),
    Pair((0, 33, 34), (36,)),
    Pair((5,), (6, 7, 8)),
    Pair((0, *STEM), (100, 110, 120)),
]
"""Choices of one context, some that begin alike; single tokens after contexts that are longer and shorter versions
of each other; contexts inside another's continuation; one of its own; a repeat."""


def configuration(kind: str) -> Any:
    """A tiny model of one architecture; Gemma's logits are soft-capped and half its layers see 64 tokens back."""
    import transformers

    sizes: dict[str, Any] = {
        "vocab_size": 400,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
    }
    configs = {
        "llama": lambda: transformers.LlamaConfig(**sizes),
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=400,
            n_layer=2,
            n_head=4,
            n_embd=64,
            n_positions=128,
            initializer_range=0.2,
            bos_token_id=0,
            eos_token_id=1,
        ),
        "qwen2": lambda: transformers.Qwen2Config(**sizes),
        "gemma3": lambda: transformers.Gemma3TextConfig(
            **sizes,
            head_dim=16,
            sliding_window=64,
            layer_types=["sliding_attention", "full_attention"],
            final_logit_softcapping=30.0,
            attn_logit_softcapping=50.0,
        ),
    }
    return configs[kind]()


def make_network(kind: str, attention: str = "eager", dtype: torch.dtype = torch.float32) -> Network:
    """A random network whose weights depend on its kind alone."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(configuration(kind), attn_implementation=attention)
    return Network(model.eval().to(dtype))


def plain(network: Network, pair: Pair) -> tuple[list[float], bool]:
    """Logprobs of a continuation by one forward pass in float64, and whether its tokens are the most probable."""
    ids = torch.tensor([pair.context + pair.continuation])
    logprobs = network.model(ids[:, :-1]).logits[0].double().log_softmax(-1)[len(pair.context) - 1 :]
    chosen = logprobs.gather(-1, torch.tensor(pair.continuation)[:, None])[:, 0]
    return chosen.tolist(), logprobs.argmax(-1).tolist() == list(pair.continuation)


@torch.inference_mode()
def check(network: Network, pairs: list[Pair], batch_size: int, allowed: float) -> str:
    """The strategy that scored pairs, all within `allowed` of the plain scores of float64 weights."""
    expected = [plain(network, pair) for pair in pairs]

    found = score_pairs(network, pairs, batch_size)

    for likelihood, (logprobs, is_greedy) in zip(found, expected, strict=True):
        assert likelihood.token_logprobs == pytest.approx(logprobs, abs=allowed)
        assert likelihood.is_greedy is is_greedy
    return plan_likelihood(network, list(dict.fromkeys(pairs)), batch_size).strategy


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gemma3"])
def test_packed(kind: str, attention: str) -> None:
    """Packed rows give the scores of plain rows within 2e-5 in float32, whatever the batch."""
    network = make_network(kind, attention)

    for batch_size in (1, 2, 5, 32):
        assert check(network, PAIRS, batch_size, 2e-5) == "packed rows"


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gemma3"])
def test_float64(kind: str) -> None:
    """In float64 weights and attention, nothing is left between packed and plain rows but the float32 of the scores."""
    assert check(make_network(kind, "sdpa", torch.float64), PAIRS, 32, 2e-6) == "packed rows"


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gemma3"])
@torch.inference_mode()
def test_bfloat16(kind: str, attention: str) -> None:
    """In bfloat16 packed rows are off from float32 no more than twice as far as plain rows in bfloat16 are.

    Both round at each step, in another order; a wrong mask would be off by far more.
    """
    network, exact = make_network(kind, attention, torch.bfloat16), make_network(kind, attention)
    expected = torch.tensor([each for pair in PAIRS for each in plain(exact, pair)[0]])
    alone = torch.tensor([each for pair in PAIRS for each in plain(network, pair)[0]])

    found = torch.tensor([each for likelihood in score_pairs(network, PAIRS, 8) for each in likelihood.token_logprobs])

    assert plan_likelihood(network, PAIRS, 8).strategy == "packed rows"
    assert (found - expected).abs().mean() < 2 * (alone - expected).abs().mean()


def test_window_shorter_than_the_row() -> None:
    """Rows longer than a sliding window are not packed, since a 4-D mask knows no window; the scores stay right."""
    network = make_network("gemma3", "sdpa")
    context = tuple(range(100, 180))
    pairs = [Pair(context, (200 + at, 210)) for at in range(4)]

    assert check(network, pairs, 8, 2e-5) == "shared contexts"

    plan = plan_likelihood(network, pairs, 8)
    assert plan.refusal == "a row of 81 tokens is longer than the model's window of 64"


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@torch.inference_mode()
def test_more_columns_than_positions(kind: str) -> None:
    """A row may have more columns than the model has positions, as long as no text in it has."""
    network = make_network(kind, "sdpa")
    pairs = [Pair(tuple(range(100)), (200 + at, *range(at, at + 20))) for at in range(4)]
    tails = [pair.tail for pair in pairs]
    packing = pack(Readings.of(readings_of(tails)), Costs(pair=0, batch=16, rows=8, cells=1000))

    found = score_packed(network, tails, packing)

    assert packing.estimate(Costs(0, 16, 8, 1000)).tokens == 100 + 4 * 20 > (network.context_length or 0)
    for pair, scores in zip(pairs, found, strict=True):
        assert scores.logprobs == pytest.approx(plain(network, pair)[0], abs=2e-5)


def test_shots_in_a_cache() -> None:
    """Many questions after the same shots read these once; each position is scored as in plain rows."""
    network, shots = make_network("llama", "sdpa"), tuple(range(100, 180))
    pairs = [Pair((*shots, 200 + at, 250 + at), (300 + choice,)) for at in range(16) for choice in range(3)]

    assert check(network, pairs, 8, 2e-5) == "packed rows"

    plan = plan_likelihood(network, pairs, 8)
    assert plan.estimate.tokens == 80 + 16 * 2
    assert plan.plain.tokens == 48 * 82


@torch.inference_mode()
def test_tokens_are_those_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens that a plan names are those that the model is given, in each of the three ways."""
    for kind, pairs in (
        ("llama", PAIRS),
        ("llama", PAIRS[-3:-1]),
        ("gemma3", [Pair(STEM * 2, (5, 6)), Pair(STEM * 2, (7, 8))]),
    ):
        network = make_network(kind)
        plan = plan_likelihood(network, list(dict.fromkeys(pairs)), 8)
        read: list[int] = []
        forward = network.model.forward

        def watching(*args: Any, forward: Any = forward, read: list[int] = read, **options: Any) -> Any:
            read.append(options["input_ids"].numel())
            return forward(*args, **options)

        monkeypatch.setattr(network.model, "forward", watching)

        score_pairs(network, pairs, 8)

        assert sum(read) == plan.estimate.tokens


@torch.inference_mode()
def test_nothing_shared() -> None:
    """Texts that have nothing in common are plain rows."""
    network = make_network("llama")

    assert plan_likelihood(network, [Pair((3,), (4, 5)), Pair((6,), (7,))], 8).strategy == "plain rows"


@torch.inference_mode()
def test_model_that_ignores_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes a 4-D mask and does not follow it is found out before anything is packed."""
    for dtype in (torch.float32, torch.bfloat16):
        network = make_network("llama", "sdpa", dtype)
        forward = network.model.forward

        def causal(*args: Any, forward: Any = forward, **options: Any) -> Any:
            mask = options["attention_mask"]
            return forward(*args, **options | {"attention_mask": None if mask.ndim == 4 else mask})

        monkeypatch.setattr(network.model, "forward", causal)

        assert network.mask_refusal == "the model gives other logits under a 4-D mask"
        assert plan_likelihood(network, PAIRS, 8).strategy == "shared contexts"


@torch.inference_mode()
def test_model_that_refuses_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that breaks on a 4-D mask is scored without one."""
    network = make_network("llama")
    forward = network.model.forward

    def strict(*args: Any, **options: Any) -> Any:
        if "attention_mask" in options and options["attention_mask"].ndim == 4:
            msg = "expected a mask of two dimensions"
            raise ValueError(msg)
        return forward(*args, **options)

    monkeypatch.setattr(network.model, "forward", strict)

    assert check(network, PAIRS, 8, 2e-5) == "shared contexts"


def test_flash_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flash attention takes causal masks only, so contexts are shared through the cache."""
    network = make_network("llama")
    monkeypatch.setattr(network.model.config, "_attn_implementation_internal", "flash_attention_2")

    assert network.mask_refusal == "attention 'flash_attention_2' takes no 4-D mask"


@pytest.mark.parametrize("kind", ["mpt", "lfm2"])
def test_columns_and_states(tiny_model: Any, kind: str) -> None:
    """Where columns are positions, or a state is carried along, rows cannot be packed."""
    network = TransformersEngine(tiny_model(kind)).network

    assert network.mask_refusal == "the model takes no positions, or keeps a recurrent state"


def test_plan_is_logged(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The way, and what it reads beside plain rows, is in the debug log."""
    lead = "You can return a book at any branch; late returns cost ten cents a day."
    with caplog.at_level(logging.DEBUG, logger="pytest_llmval.servers.engine.likelihood"):
        engine.answer([Request(lead, choices=(" five euros", " ten cents"))])

    (record,) = caplog.records
    tokens = engine.count_tokens(lead)
    assert record.getMessage().startswith("likelihood of 2 continuations: packed rows, ")
    read, rows = (int(word) for word in record.getMessage().split() if word.isdigit() and int(word) > 2)
    assert tokens < read < rows < 2 * read


def test_repeat(engine: Any) -> None:
    """A repeat of a call gives the same numbers to the last bit."""
    pairs = [("The library", " hours"), ("The library", " opening hours are nine"), ("A late book", " costs ten")]

    assert engine.loglikelihood(pairs) == engine.loglikelihood(pairs)


def test_two_bos_before_a_choice(engine: Any) -> None:
    """A prompt that brings a second BOS is refused, not scored."""
    (response,) = engine.answer([Request("<s><s>The", choices=(" a", " b"))])

    assert response.error == "prompt starts with two BOS tokens '<s>'; expected one: '<s><s>The a'…"


def test_two_bos_before_a_document(engine: Any) -> None:
    """The same holds for a document."""
    with pytest.raises(RequestRefused, match=r"^prompt starts with two BOS tokens '<s>'; expected one: '<s><s>The'…$"):
        engine.document_likelihood(["<s><s>The"])


def test_rows_too_long_for_their_logits(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the logits of a row do not fit, it is not packed but read in pieces, with the same scores."""
    from pytest_llmval.servers.engine import token_scores

    pairs = [("The library", " opening hours are nine to five on weekdays"), ("The library", " hours")]
    expected = engine.loglikelihood(pairs)
    monkeypatch.setattr(token_scores, "CELLS", 400 * 5)
    monkeypatch.setattr(token_scores, "PIECE", 3)

    found = engine.loglikelihood(pairs)

    for one, other in zip(found, expected, strict=True):
        assert one.token_logprobs == pytest.approx(other.token_logprobs, abs=2e-5)


def test_dtype_is_kept(tiny_model: Any) -> None:
    """A mask comes in the model's own dtype, so that float16 models can be packed."""
    network = TransformersEngine(dataclasses.replace(tiny_model("llama"), dtype="float16")).network

    assert network.mask_refusal == ""
