"""Tiny random models of several architectures, and prompts for them."""

from __future__ import annotations

import copy
import random
from functools import cache

import pytest
import torch
import transformers

VOCABULARY = 512
HEADS = 4

_CONFIGS = {
    "llama": transformers.LlamaConfig,
    "mistral": transformers.MistralConfig,
    "qwen2": transformers.Qwen2Config,
    "qwen3": transformers.Qwen3Config,
    "gemma": transformers.GemmaConfig,
    "gemma2": transformers.Gemma2Config,
    "gemma3": transformers.Gemma3TextConfig,
}


def _config(kind: str, layers: int, hidden: int, vocabulary: int, window: int):
    # With the usual 0.02 the scores of so narrow a model are all but equal, and no fault of attention shows.
    spread = hidden**-0.5
    if kind == "gpt2":
        return transformers.GPT2Config(
            vocab_size=vocabulary, n_embd=hidden, n_layer=layers, n_head=HEADS, n_positions=128,
            initializer_range=spread, bos_token_id=0, eos_token_id=1,
        )  # fmt: skip
    sizes = {"head_dim": hidden // HEADS} if kind in {"qwen3", "gemma", "gemma2", "gemma3"} else {}
    if kind in {"gemma2", "gemma3"}:
        kinds = ["sliding_attention", "full_attention"] * layers
        sizes |= {"query_pre_attn_scalar": hidden // HEADS, "layer_types": kinds[:layers]}
    if kind in {"mistral", "gemma2", "gemma3"}:
        sizes |= {"sliding_window": window}
    return _CONFIGS[kind](
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
        num_attention_heads=HEADS, num_key_value_heads=HEADS // 2, max_position_embeddings=128,
        tie_word_embeddings=False, initializer_range=spread, **sizes,
    )  # fmt: skip


@cache
def _template(kind: str, attention: str, seed: int, **sizes: int):
    torch.manual_seed(seed)
    config = _config(kind, **sizes)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()


def make(kind="llama", *, attention="eager", seed=0, **sizes):
    known = {"layers": 3, "hidden": 64, "vocabulary": VOCABULARY, "window": 8} | sizes
    return copy.deepcopy(_template(kind, attention, seed, **known))


def cast(model, dtype=torch.bfloat16):
    copied = copy.deepcopy(model)
    for weight in copied.parameters():
        weight.data = weight.data.to(dtype)
    return copied


@pytest.fixture(scope="session")
def tiny():
    """The function that makes a model in float32; with equal arguments an equal one, that may be changed."""
    return make


@pytest.fixture(scope="session")
def half():
    """The function that copies a model with its weights in bfloat16; buffers stay, as rotary tables need them."""
    return cast


@pytest.fixture(scope="session")
def prompts() -> list[list[int]]:
    """Token ids of eight prompts of 5 to 60 tokens, 198 in all, seed 0."""
    source = random.Random(0)
    return [[source.randrange(VOCABULARY) for _ in range(length)] for length in (5, 9, 14, 20, 33, 40, 17, 60)]


@pytest.fixture(scope="session")
def few() -> list[list[int]]:
    """Token ids of three short prompts."""
    return [[1, 2, 3], [4, 5, 6, 7, 8], list(range(9, 29))]
