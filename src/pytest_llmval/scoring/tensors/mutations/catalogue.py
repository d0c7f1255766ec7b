"""The known bugs that a model can have, one middle layer standing for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.mutation import Mutation
from pytest_llmval.scoring.tensors.layers.layout import layout_of
from pytest_llmval.scoring.tensors.mutations.forward import (
    first_key_masked,
    layers_exchanged,
    next_key_seen,
    output_heads_rolled,
    positions_scaled,
    with_shifted_labels,
)
from pytest_llmval.scoring.tensors.mutations.injection import changed_attribute, changed_weight, hooked
from pytest_llmval.scoring.tensors.mutations.weights import (
    head_scaled,
    heads_rolled,
    replaced_by,
    rounded_to_bits,
    row_scaled,
    scaled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.layers.layout import Layout

_DOWN = ("mlp.down_proj", "mlp.c_proj")
_OUT = ("self_attn.o_proj", "attn.c_proj")
_NORM = ("input_layernorm", "ln_1")
_EPSILON = ("variance_epsilon", "eps")


def known_bugs(model: Any, *, layer: int | None = None, token: int = 0) -> tuple[Mutation, ...]:
    """The bugs of weights and code that fit a model; those of modules it lacks are left out.

    Args:
        model: A causal language model of transformers.
        layer: Where bugs of a layer sit; by default in the middle.
        token: Whose row of the embedding is changed; one that the prompts contain.

    Source:
        The kinds of bug are those that conversions and rewrites of models are known for: scales, head orders,
        positions, masks, roundings, epsilons.
    """
    layout = layout_of(model, "the model")
    index = layout.depth // 2 if layer is None else layer
    parts = _Parts(model, layout, layout.layer(index))
    found = (*_of_weights(parts), *_of_code(parts), *_of_masks(parts), *_of_ends(parts, token), *_of_whole(parts))
    return tuple(bug for bug in found if all(parts.has(path) for path in bug.at))


class _Parts:
    """Where the parts of a model are."""

    def __init__(self, model: Any, layout: Layout, at: str) -> None:
        self.layout, self.at = layout, at
        self._modules = dict(model.named_modules())
        config = model.config.get_text_config()
        self.head = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self.rotary = f"{layout.base}.rotary_emb"

    def has(self, path: str) -> bool:
        """Whether there is such a module."""
        return path in self._modules

    def first(self, names: tuple[str, ...]) -> str:
        """The first of several modules of the layer that there is."""
        paths = [f"{self.at}.{name}" for name in names]
        return next(filter(self.has, paths), paths[0])

    def attribute(self, path: str, names: tuple[str, ...]) -> str:
        """The first of several attributes that a module has."""
        module = self._modules.get(path)
        return next((name for name in names if hasattr(module, name)), names[0])


def _of_weights(parts: _Parts) -> Iterator[Mutation]:
    down, out = parts.first(_DOWN), parts.first(_OUT)
    key, value = f"{parts.at}.self_attn.k_proj", f"{parts.at}.self_attn.v_proj"
    yield Mutation("attention output x 1.01", (out,), changed_weight(out, scaled(1.01)))
    yield Mutation("MLP output x 1.001", (down,), changed_weight(down, scaled(1.001)))
    yield Mutation("one channel x 1.05", (down,), changed_weight(down, row_scaled(7, 1.05)))
    yield Mutation("KV head x 0.9", (value,), changed_weight(value, head_scaled(0, parts.head, 0.9)))
    yield Mutation("K heads rolled", (key,), changed_weight(key, heads_rolled(parts.head)))
    yield Mutation("int8 rounding", (down,), changed_weight(down, rounded_to_bits(8)))
    yield Mutation("int4 rounding", (down,), changed_weight(down, rounded_to_bits(4)))


def _of_code(parts: _Parts) -> Iterator[Mutation]:
    attention, key, norm = f"{parts.at}.self_attn", f"{parts.at}.self_attn.k_proj", parts.first(_NORM)
    rolled = hooked(key, output_heads_rolled(parts.head))
    yield Mutation("K heads rolled in code", (key,), rolled, in_weights=False)
    scale = changed_attribute(attention, "scaling", scaled(1.02))
    yield Mutation("attention scale x 1.02", (attention,), scale, in_weights=False)
    for value in (1e-2, 1e-4):
        epsilon = changed_attribute(norm, parts.attribute(norm, _EPSILON), replaced_by(value))
        yield Mutation(f"norm epsilon {value:.0e}".replace("e-0", "e-"), (norm,), epsilon, in_weights=False)


def _of_masks(parts: _Parts) -> Iterator[Mutation]:
    attention = f"{parts.at}.self_attn"
    if parts.has(parts.rotary):
        scaled_positions = hooked(parts.at, positions_scaled(parts.rotary, 1.01))
        yield Mutation("RoPE x 1.01, one layer", (attention,), scaled_positions, in_weights=False)
    yield Mutation("mask of one row", (attention,), hooked(parts.at, first_key_masked(1)), in_weights=False)
    yield Mutation("next token seen", (attention,), hooked(parts.at, next_key_seen()), in_weights=False)


def _of_ends(parts: _Parts, token: int) -> Iterator[Mutation]:
    layout, rotary = parts.layout, parts.rotary
    embedding = layout.before[0]
    for factor in (1.01, 0.99):
        tables = changed_attribute(rotary, "inv_freq", scaled(factor))
        yield Mutation(f"RoPE x {factor}, all layers", (rotary,), tables, in_weights=False)
    yield Mutation("final norm x 0.97", (layout.norm,), changed_weight(layout.norm, scaled(0.97)))
    yield Mutation("one embedding row x 1.5", (embedding,), changed_weight(embedding, row_scaled(token, 1.5)))
    yield Mutation("lm_head x 1.01", (layout.head,), changed_weight(layout.head, scaled(1.01)))


def _of_whole(parts: _Parts) -> Iterator[Mutation]:
    """Bugs that no single stage is at fault for."""
    layout = parts.layout
    pair = layout.layer(0), layout.layer(layout.depth - 1)
    if layout.depth > 1:
        yield Mutation("two layers exchanged", pair, hooked(pair[0], layers_exchanged(pair[1])))
    shifted = changed_attribute("", "loss_function", with_shifted_labels)
    yield Mutation("labels shifted by one", ("",), shifted, in_weights=False)
