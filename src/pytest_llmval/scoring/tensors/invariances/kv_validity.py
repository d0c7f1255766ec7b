"""Validity of a key-value cache: shapes, finite numbers, book-keeping, and no memory used twice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.arrays import is_torch, values_of
from pytest_llmval.scoring.tensors.invariances.kv_layers import KvLayer, kv_layers, layer_count
from pytest_llmval.scoring.tensors.wording import counted, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmval.scoring.tensors.pairs import Flags

_KEY_AXES = 4


@dataclass(frozen=True, slots=True)
class KvCacheReport:
    """What was found in a cache; as text, the message of a failed assertion."""

    seq_len: int
    layers: int
    """Layers with keys and values."""
    without: int
    """Layers that hold none: recurrent, or sharing another's."""
    problems: tuple[str, ...]
    """One sentence each, in the order of the layers."""

    @property
    def passed(self) -> bool:
        """Whether there is a layer, and no problem."""
        return self.layers > 0 and not self.problems

    def __str__(self) -> str:
        over = f"{counted(self.layers, 'layer')} after {counted(self.seq_len, 'token')}"
        others = f", {self.without} more hold no keys and values" if self.without else ""
        if not self.layers:
            return f"the key-value cache cannot be judged: no layer holds keys and values{others}"
        if self.passed:
            return f"the key-value cache is valid: {over}{others}"
        head = f"the key-value cache is not valid ({over}{others}): {self.problems[0]}"
        return "\n".join([head, *lines_of(self.problems[1:])])


def inspect_kv_cache(
    cache: Any,
    *,
    seq_len: int,
    n_kv_heads: int | Sequence[int],
    head_dim: int | Sequence[int],
    batch_size: int | None = None,
    lens: Sequence[int] | None = None,
    canary: float = 0.0,
    others: Iterable[Any] = (),
) -> KvCacheReport:
    """Everything that is wrong with a key-value cache.

    Args:
        cache: A cache of transformers 5, dynamic, sliding or static; or pairs of keys and values
            `[rows, heads, slots, channels]`, one a layer.
        seq_len: Columns the model has read, padding included.
        n_kv_heads: Heads of keys and values, or one number a layer.
        head_dim: Channels a head, or one number a layer.
        batch_size: Rows; by default those of the first layer, which the others must share.
        lens: Slots of each row that were written, from the first on, where rows were filled to different lengths; by
            default `seq_len` for all.
        canary: What slots hold that were never written; transformers fills static caches with 0.
        others: Caches of other requests, which must not share memory with this one.

    Raises:
        ValueError: If `lens` does not fit, or there is not one number a layer.
        TypeError: If the cache is of no known kind.
    """
    layers = kv_layers(cache)
    heads, channels = (_per_layer(name, given, layer_count(cache)) for name, given in _given(n_kv_heads, head_dim))
    rows = batch_size if batch_size is not None else (int(layers[0].keys.shape[0]) if layers else 0)
    written = _written(lens, rows, seq_len)
    problems: list[str] = []
    for layer in layers:
        expected = (rows, heads[layer.number], layer.slots(seq_len), channels[layer.number])
        problems += _shape_problems(layer, expected) or _content_problems(layer, written, canary)
        problems += _length_problems(layer, seq_len)
    problems += _aliases(layers, list(others))
    return KvCacheReport(seq_len, len(layers), layer_count(cache) - len(layers), tuple(problems))


def assert_kv_cache_valid(
    cache: Any,
    *,
    seq_len: int,
    n_kv_heads: int | Sequence[int],
    head_dim: int | Sequence[int],
    batch_size: int | None = None,
    lens: Sequence[int] | None = None,
    canary: float = 0.0,
    others: Iterable[Any] = (),
) -> KvCacheReport:
    """A key-value cache has the right shapes and length, finite numbers, untouched rest, and memory of its own.

    See `inspect_kv_cache` for the arguments.

    Raises:
        ModelRegression: If something is wrong; the message lists all of it.
        InvalidComparison: If no layer holds keys and values.
    """
    __tracebackhide__ = True
    report = inspect_kv_cache(
        cache, seq_len=seq_len, n_kv_heads=n_kv_heads, head_dim=head_dim,
        batch_size=batch_size, lens=lens, canary=canary, others=others,
    )  # fmt: skip
    if report.passed:
        return report
    raise (ModelRegression if report.problems else InvalidComparison)(str(report))


def _given(heads: int | Sequence[int], channels: int | Sequence[int]) -> list[tuple[str, int | Sequence[int]]]:
    return [("n_kv_heads", heads), ("head_dim", channels)]


def _per_layer(name: str, given: int | Sequence[int], layers: int) -> list[int]:
    if isinstance(given, int):
        return [given] * layers
    if len(given) != layers:
        msg = f"{name} has {len(given)} numbers; expected one number, or one for each of {counted(layers, 'layer')}"
        raise ValueError(msg)
    return list(given)


def _written(lens: Sequence[int] | None, rows: int, seq_len: int) -> list[int]:
    if lens is None:
        return [seq_len] * rows
    if len(lens) != rows or not all(0 <= length <= seq_len for length in lens):
        msg = f"lens={list(lens)!r}; expected a number from 0 to seq_len={seq_len} for each of {counted(rows, 'row')}"
        raise ValueError(msg)
    return list(lens)


def _shape_problems(layer: KvLayer, expected: tuple[int, ...]) -> list[str]:
    return [
        f"layer {layer.number} {kind}: shape expected {expected} -> actual {tuple(tensor.shape)} "
        f"([rows, heads, slots, channels])"
        for kind, tensor in layer.tensors
        if tuple(tensor.shape) != expected
    ]


def _length_problems(layer: KvLayer, seq_len: int) -> list[str]:
    if layer.claimed == seq_len:
        return []
    return [f"layer {layer.number} counts {layer.claimed} tokens, {seq_len} were read"]


def _content_problems(layer: KvLayer, written: Sequence[int], canary: float) -> list[str]:
    found = []
    for kind, tensor in layer.tensors:
        numbers = values_of(tensor, f"layer {layer.number} {kind}").floats
        used = _used(layer, written, numbers.shape[2])[:, None, :, None]
        strange = used & ~np.isfinite(numbers)
        touched = ~used & (numbers != canary)
        found += _first(layer, kind, strange, numbers, "of the written numbers are not finite")
        found += _first(layer, kind, touched, numbers, f"numbers in slots never written are not {canary:g}")
    return found


def _used(layer: KvLayer, written: Sequence[int], slots: int) -> Flags:
    """Slots that were written, `[rows, slots]`; a window holds the last ones only."""
    dropped = 0 if layer.reserved is not None else max(0, max(written, default=0) - slots)
    return np.arange(slots)[None, :] < np.array(written)[:, None] - dropped


def _first(layer: KvLayer, kind: str, wrong: Flags, numbers: Any, what: str) -> list[str]:
    if not wrong.any():
        return []
    row, head, slot, channel = (int(each) for each in np.argwhere(wrong)[0])
    at = f"row {row}, head {head}, slot {slot}, channel {channel}"
    return [
        f"layer {layer.number} {kind}: {int(wrong.sum())} {what}, first {numbers[row, head, slot, channel]:g} at {at}"
    ]


def _aliases(layers: Sequence[KvLayer], others: Sequence[Any]) -> Iterator[str]:
    """Memory that two tensors, or two rows of one, share: writing one writes the other."""
    own = [(f"layer {layer.number} {kind}", tensor) for layer in layers for kind, tensor in layer.tensors]
    for name, tensor in own:
        if is_torch(tensor) and tensor.shape[0] > 1 and tensor.stride(0) == 0:
            yield f"{name}: all rows share one piece of memory, so that one request overwrites another"
    for (name, tensor), (other_name, other) in combinations(own, 2):
        if _overlap(tensor, other):
            yield f"{name} and {other_name} share memory, so that writing one overwrites the other"
    for place, cache in enumerate(others):
        theirs = [tensor for layer in kv_layers(cache) for _, tensor in layer.tensors]
        shared = [name for name, tensor in own if any(_overlap(tensor, other) for other in theirs)]
        if shared:
            yield f"{', '.join(shared)}: memory shared with other cache {place}, so that requests overwrite each other"


def _overlap(one: Any, other: Any) -> bool:
    if not (is_torch(one) and is_torch(other)) or one.device != other.device or not (one.numel() and other.numel()):
        return False
    (start, end), (other_start, other_end) = _span(one), _span(other)
    return start < other_end and other_start < end


def _span(tensor: Any) -> tuple[int, int]:
    """First byte of a tensor, and the one after its last."""
    reach = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start = int(tensor.data_ptr())
    return start, start + (reach + 1) * tensor.element_size()
