"""The key-value cache that a model makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.cached import read
from pytest_llmval.scoring.tensors.invariances.kv_layers import kv_layers, layer_count
from pytest_llmval.scoring.tensors.invariances.kv_validity import KvCacheReport, assert_kv_cache_valid
from pytest_llmval.scoring.tensors.invariances.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def assert_own_cache_valid(model: Any, rows: Sequence[Sequence[int]]) -> KvCacheReport:
    """The cache after a batch is valid; heads and channels are those of another cache, after one row.

    Args:
        model: A causal language model of transformers that takes `past_key_values`.
        rows: Token ids of each prompt; run as one batch, padded on the left.

    Raises:
        ModelRegression: If something is wrong with it; see `assert_kv_cache_valid`.
        InvalidComparison: If no layer holds keys and values.
        CapabilityMissing: If keys have other sizes than values, as with latent attention.
    """
    __tracebackhide__ = True
    subject, batch = subject_of(model), padded(rows)
    cache, other = (read(subject, each).cache for each in (batch, padded(rows[:1])))
    heads, channels = _sizes(other)
    return assert_kv_cache_valid(
        cache, seq_len=batch.ids.shape[1], n_kv_heads=heads, head_dim=channels, batch_size=len(rows), others=[other]
    )


def _sizes(cache: Any) -> tuple[list[int], list[int]]:
    """Heads and channels of each layer; 0 where it holds no keys and values."""
    heads, channels = [0] * layer_count(cache), [0] * layer_count(cache)
    for layer in kv_layers(cache):
        keys, values = (tuple(tensor.shape) for _, tensor in layer.tensors)
        if keys != values:
            msg = f"layer {layer.number} has keys of shape {keys} and values of {values}: expected one shape for both"
            raise CapabilityMissing(msg)
        heads[layer.number], channels[layer.number] = keys[1], keys[3]
    return heads, channels
