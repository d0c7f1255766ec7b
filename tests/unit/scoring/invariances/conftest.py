"""Small random models of four architectures, prompts for them, and a tokenizer of one token a word."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

settings.register_profile("invariances", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("invariances")

VOCABULARY = 96
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,  # large enough that attention is not a mere mean
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
GPT2_SIZES = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "vocab_size": VOCABULARY}
SLIDING = {"head_dim": 8, "sliding_window": 4, "query_pre_attn_scalar": 8}

Tokens = list[list[int]]


def _config(name: str, attention: str) -> Any:
    from transformers import Gemma3TextConfig, GPT2Config, LlamaConfig, Qwen2Config

    ends = {"bos_token_id": None, "eos_token_id": None}
    if name == "gpt2":
        return GPT2Config(**GPT2_SIZES, **ends, initializer_range=0.2, attn_implementation=attention)
    if name == "gemma3":
        return Gemma3TextConfig(**SIZES, **SLIDING, attn_implementation=attention)
    known = {"llama": LlamaConfig, "qwen2": Qwen2Config}
    return known[name](**SIZES, attn_implementation=attention)


@functools.cache
def _state(name: str) -> tuple[Any, dict[str, torch.Tensor]]:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(_config(name, "eager"))
    return type(model), {key: value.clone() for key, value in model.state_dict().items()}


def build(name: str = "llama", attention: str = "sdpa", dtype: torch.dtype = torch.float32) -> Any:
    """A fresh random model, seed 0, the same weights for every attention and dtype."""
    kind, state = _state(name)
    model = kind(_config(name, attention))
    model.load_state_dict(state)
    return model.to(dtype).eval()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small run ten times slower when threads wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fresh() -> Callable[..., Any]:
    """The function that builds a model that a test may damage."""
    return build


@pytest.fixture
def llama() -> Any:
    """A Llama in float32 with sdpa."""
    return build()


@pytest.fixture(scope="session")
def prompts() -> Tokens:
    """Token ids of four prompts of 5, 11, 8 and 14 tokens, seed 0."""
    generator = np.random.default_rng(0)
    return [generator.integers(0, VOCABULARY, size=length).tolist() for length in (5, 11, 8, 14)]


class WordTokenizer:
    """One token a word: `w7` is 7; the last id is special."""

    all_special_ids = (VOCABULARY - 1,)

    def __call__(self, text: str) -> dict[str, list[int]]:
        """The ids of a text, as tokenizers give them."""
        return {"input_ids": [int(word[1:]) for word in text.split()]}

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""
        return " ".join(f"w{token}" for token in ids)


@pytest.fixture
def tokenizer() -> WordTokenizer:
    """A tokenizer of one token a word."""
    return WordTokenizer()


def leak_batch_mean(model: Any, size: float = 1e-3) -> Any:
    """Adds a share of the mean over the batch to what the first layer gives."""
    return _after_first_layer(model, lambda hidden: hidden + size * hidden.mean(dim=0, keepdim=True))


def leak_future(model: Any, size: float = 1e-3) -> Any:
    """Adds a share of the next position to what the first layer gives."""

    def mixed(hidden: torch.Tensor) -> torch.Tensor:
        following = torch.cat([hidden[:, 1:], torch.zeros_like(hidden[:, :1])], dim=1)
        return hidden + size * following

    return _after_first_layer(model, mixed)


def scale_by_row(model: Any, size: float = 0.05) -> Any:
    """Multiplies each row by a factor of its place."""
    return _after_first_layer(
        model, lambda hidden: hidden * (1 + size * torch.arange(len(hidden)).view(-1, 1, 1)).to(hidden.dtype)
    )


def quantize_per_tensor(model: Any) -> Any:
    """Rounds what a layer's normalisation gives to int8 with one scale for the whole batch, taken from its largest."""

    def rounded(hidden: torch.Tensor) -> torch.Tensor:
        scale = hidden.abs().amax() / 127
        return (hidden / scale).round() * scale

    return _after_first_layer(model, rounded)


def weaken_mask(model: Any) -> Any:
    """Masks by −10 in place of −inf, in every layer."""

    def weak(_module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        mask = kwargs["attention_mask"]
        if mask is None:  # sdpa masks the future by itself when there is no padding
            return None
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, dtype=kwargs["hidden_states"].dtype).masked_fill(~mask, -10.0)
        return args, kwargs | {"attention_mask": mask.clamp(min=-10.0)}

    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(weak, with_kwargs=True)
    return model


def keep_stale_slot(model: Any) -> Any:
    """Leaves slot 3 of layer 1 as slot 2 after every step but the first."""

    def stale(_module: Any, _args: Any, kwargs: dict[str, Any], _output: Any) -> None:
        layer = _second_layer(kwargs)
        if layer is not None and kwargs["input_ids"].shape[1] < layer.keys.shape[2] and layer.keys.shape[2] > 3:
            layer.keys[:, :, 3], layer.values[:, :, 3] = layer.keys[:, :, 2], layer.values[:, :, 2]

    model.register_forward_hook(stale, with_kwargs=True)
    return model


def count_positions_wrongly(model: Any) -> Any:
    """Positions one too low whenever the cache is not empty."""

    def late(_module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        cache = kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length():
            kwargs = kwargs | {"position_ids": (kwargs["position_ids"] - 1).clamp(min=0)}
        return args, kwargs

    model.register_forward_pre_hook(late, with_kwargs=True)
    return model


def _second_layer(kwargs: dict[str, Any]) -> Any:
    cache = kwargs.get("past_key_values")
    return None if cache is None else cache.layers[1]


def _after_first_layer(model: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    layers = model.transformer.h if hasattr(model, "transformer") else model.model.layers

    def changed(_module: Any, _args: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    layers[0].register_forward_hook(changed)
    return model


@pytest.fixture(scope="session")
def fault() -> dict[str, Callable[..., Any]]:
    """Functions that plant a fault in a model, by name; each returns the model."""
    known = (
        leak_batch_mean, leak_future, scale_by_row, quantize_per_tensor, weaken_mask,
        keep_stale_slot, count_positions_wrongly,
    )  # fmt: skip
    return {each.__name__: each for each in known}
