"""Keys and values of a cache, layer by layer, whatever kind of layer holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_llmval.scoring.tensors.arrays import is_array


@dataclass(frozen=True, slots=True, eq=False)
class KvLayer:
    """What one layer holds."""

    number: int
    keys: Any
    """`[rows, heads, slots, key channels]`."""
    values: Any
    """`[rows, heads, slots, value channels]`."""
    claimed: int
    """Tokens that the layer says it has read."""
    window: int | None
    """Most tokens it sees, itself included; None when it sees all."""
    reserved: int | None
    """Slots of a static layer; None when it grows."""

    @property
    def tensors(self) -> tuple[tuple[str, Any], tuple[str, Any]]:
        """Both, by name."""
        return ("keys", self.keys), ("values", self.values)

    def slots(self, seq_len: int) -> int:
        """Slots it must have after so many tokens."""
        if self.reserved is not None:
            return self.reserved
        return seq_len if self.window is None else min(seq_len, self.window - 1)


def kv_layers(cache: Any) -> list[KvLayer]:
    """Layers that hold keys and values; those without (recurrent, shared, or not yet filled) are left out.

    Args:
        cache: A cache of transformers 5, or pairs of keys and values, one a layer.

    Raises:
        TypeError: If it is neither.
    """
    layers = getattr(cache, "layers", None)
    if layers is None:
        return [_from_pair(number, pair) for number, pair in enumerate(_pairs(cache))]
    return [
        _from_layer(number, layer) for number, layer in enumerate(layers) if getattr(layer, "keys", None) is not None
    ]


def layer_count(cache: Any) -> int:
    """All layers, those without keys and values among them."""
    return len(getattr(cache, "layers", cache))


def _from_layer(number: int, layer: Any) -> KvLayer:
    reserved = getattr(layer, "max_cache_len", None)
    window = getattr(layer, "sliding_window", None) if reserved is None else None
    return KvLayer(number, layer.keys, layer.values, int(layer.get_seq_length()), window, reserved)


def _from_pair(number: int, pair: Any) -> KvLayer:
    keys, values = pair[0], pair[1]
    return KvLayer(number, keys, values, int(keys.shape[-2]), None, None)


def _pairs(cache: Any) -> list[Any]:
    listed = list(cache) if isinstance(cache, list | tuple) else []
    if not listed or not all(len(pair) >= 2 and is_array(pair[0]) and is_array(pair[1]) for pair in listed):  # noqa: PLR2004
        msg = (
            f"cache is a {type(cache).__name__}; expected a key-value cache of transformers 5, or a list of pairs of "
            f"keys and values [rows, heads, slots, channels], one a layer"
        )
        raise TypeError(msg)
    return listed
