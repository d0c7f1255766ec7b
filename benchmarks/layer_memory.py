"""How much memory a comparison layer by layer needs beyond the models, in units of one layer's activations.

A layer's activations: the peak while one layer of the reference runs on the batch, when everything that its modules
return is kept. Peaks are of tensors and NumPy arrays together, see `live_bytes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from layer_cost import LENGTHS
from live_bytes import LiveBytes
from random_models import Shape, in_dtype, random_llama, random_prompts

from pytest_llmval.scoring.tensors.layers.compare import compare_layers
from pytest_llmval.scoring.tensors.layers.prompts import batch_of

HIDDEN, HEADS, VOCABULARY = 256, 4, 2048


@dataclass(frozen=True, slots=True)
class Setup:
    """Models to compare; the reference is in float32."""

    name: str
    dtype: torch.dtype
    """Of candidate and control."""
    control: str | None
    """Attention kernel of a third model; None for the default, which copies a layer of the reference at a time."""
    depths: tuple[int, ...]


SETUPS = (
    Setup("float32, third model as control", torch.float32, "sdpa", (12,)),
    Setup("bfloat16, default control", torch.bfloat16, None, (12, 48)),
    Setup("bfloat16, control with another kernel, every layer looked into", torch.bfloat16, "eager", (12, 24)),
)


def peak_of_comparison(setup: Setup, reference: Any, prompts: list[list[int]]) -> int:
    """Bytes."""
    candidate = in_dtype(reference, setup.dtype)
    control = in_dtype(reference, setup.dtype) if setup.control else None
    if control is not None:
        control.set_attn_implementation(setup.control)
    with LiveBytes() as live:
        report = compare_layers(candidate, reference, prompts, control=control)
    assert report.passed
    return live.peak


def peak_of_pass(model: Any, prompts: list[list[int]]) -> int:
    """Bytes of a plain forward pass with all logits."""
    inputs = batch_of(prompts, None, None, VOCABULARY).inputs("cpu")
    with torch.no_grad(), LiveBytes() as live:
        model(**inputs, use_cache=False)
    return live.peak


def activations_of_layer(model: Any, prompts: list[list[int]]) -> int:
    """Bytes, by the definition above."""
    layer = model.model.layers[0]
    calls, kept = [], []
    handle = layer.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append((args, kwargs)) or None, with_kwargs=True
    )
    inputs = batch_of(prompts, None, None, VOCABULARY).inputs("cpu")
    with torch.no_grad():
        model(**inputs, use_cache=False)
        handle.remove()
        handles = [each.register_forward_hook(lambda *call: kept.append(call[2])) for each in layer.modules()]
        ((args, kwargs),) = calls
        with LiveBytes() as live:
            layer(*args, **kwargs)
    for each in handles:
        each.remove()
    return live.peak


def print_memory() -> None:
    """Measure and print a table."""
    prompts = random_prompts(0, LENGTHS, VOCABULARY)
    print(
        f"\nMemory of a comparison beyond the models: hidden {HIDDEN}, vocabulary {VOCABULARY}, {len(LENGTHS)} prompts"
    )
    print(
        f"of {min(LENGTHS)} to {max(LENGTHS)} tokens, reference in float32; in units of one layer's activations, which"
    )
    print("are what its modules return in a plain forward pass\n")
    print("| candidate and control | layers | one layer's activations, MB | plain forward pass | comparison |")
    print("|---|--:|--:|--:|--:|")
    for setup, depth in ((each, depth) for each in SETUPS for depth in each.depths):
        reference = random_llama(0, Shape(depth, HIDDEN, HEADS, VOCABULARY), attention="sdpa")
        unit = activations_of_layer(reference, prompts)
        plain, peak = peak_of_pass(reference, prompts) / unit, peak_of_comparison(setup, reference, prompts) / unit
        print(f"| {setup.name} | {depth} | {unit / 1e6:.1f} | {plain:.2f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_memory()
