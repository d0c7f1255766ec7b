"""Random Llama models and prompts for measuring: as deep and wide as asked, made from a seed."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDENING = 3  # of the MLP over the hidden state


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model."""

    layers: int
    hidden: int
    heads: int
    vocabulary: int

    def __str__(self) -> str:
        return f"{self.layers} layers, hidden {self.hidden}, {self.heads} heads, vocabulary {self.vocabulary}"


def random_llama(seed: int, shape: Shape, *, attention: str, dtype: torch.dtype = torch.float32) -> Any:
    """A model in evaluation mode; weights depend on seed and shape alone, not on dtype and kernel.

    Weights are drawn with a standard deviation of 1 / √hidden, so that every layer adds about as much as it is given.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=WIDENING * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads // 2,
        max_position_embeddings=256,
        initializer_range=shape.hidden**-0.5,
        tie_word_embeddings=False,
    )
    return in_dtype(AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval(), dtype)


def in_dtype(model: Any, dtype: torch.dtype) -> Any:
    """A copy with its weights in a dtype; the rotary frequencies stay in float32, as when a model is loaded so."""
    copied = copy.deepcopy(model)
    for weight in copied.parameters():
        weight.data = weight.data.to(dtype)
    return copied


def random_prompts(seed: int, lengths: Iterable[int], vocabulary: int) -> list[list[int]]:
    """Token ids, one list a prompt."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [[draw.randrange(vocabulary) for _ in range(length)] for length in lengths]
