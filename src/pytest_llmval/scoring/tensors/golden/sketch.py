"""Sketch: what is left of a tensor of any size, so that another can still be held against it with a tolerance."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.statistics import along

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.arrays import Array, Values
    from pytest_llmval.scoring.tensors.formats import Floats

PROJECTIONS = 64
PROBES = 32
_CHUNK = 1 << 16  # elements at a time: their signs take 512 KiB
# Keys of the two streams; any other numbers would do, but these are in every golden that was ever written.
_SIGN_KEY, _PROBE_KEY = 0x6C6C6D76616C0001, 0x6C6C6D76616C0002
_GROUPS = 256  # most sums an axis: a vocabulary of 128 000 would otherwise take 1 MB
_STRATA, _ENDS, _OUTLIER_CHANNELS, _ROWS, _LARGEST = 512, 32, 4, 16, 32

Positions = npt.NDArray[np.int64]


def projections(values: Floats) -> Floats:
    """Inner products of a tensor with 64 vectors of random signs, `[64]`; they depend on the order of its elements.

    For any Δ, each has mean 0 and mean square ‖Δ‖². The signs of element i are the 64 bits of word i of
    Philox4x64-10 (Salmon et al., SC'11; counter from 1): raw words of a published algorithm, not NumPy's
    distributions, so they are the same on every platform and in every version.
    """
    sums = np.zeros((8, 256))  # of the elements whose signs have one byte in common: 8 additions an element, not 64
    for chunk, words in _chunks(values.reshape(-1)):
        for place, codes in enumerate(words.view(np.uint8).reshape(-1, 8).T):
            sums[place] += np.bincount(codes, weights=chunk, minlength=256)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return np.asarray((sums @ (1.0 - 2.0 * bits)).reshape(PROJECTIONS))


def probe_positions(size: int) -> Positions:
    """At most 32 places in a flattened tensor that depend on its size only; all of them when there are no more."""
    if size <= PROBES:
        return np.arange(size)
    words = np.random.Philox(key=_PROBE_KEY).random_raw(PROBES)
    return np.unique([int(word) * size >> 64 for word in words])


def slice_positions(values: Floats) -> Positions:
    """About 700 places: one in each of 512 equal stretches, both ends, the largest elements, the loudest channels."""
    flat = np.abs(values.reshape(-1))
    chosen = [_stratified(flat.size), np.arange(flat.size)[:_ENDS], np.arange(flat.size)[-_ENDS:]]
    chosen += [_largest(flat), _outlier_channels(values), probe_positions(flat.size)]
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def axis_energies(values: Floats) -> Floats:
    """Sums of squares along each axis, one axis after the other; at most 256 an axis, of neighbouring indices."""
    if not values.ndim:
        return np.zeros(0)
    with np.errstate(over="ignore"):
        squares = values**2
        return np.concatenate([_grouped(along(squares, axis)) for axis in range(values.ndim)])


def energy_groups(shape: tuple[int, ...]) -> Iterator[tuple[int, range, int]]:
    """Axis, indices and number of elements of each sum of `axis_energies`, in its order."""
    size = int(np.prod(shape))
    for axis, length in enumerate(shape):
        for first, end in _stretches(length, _GROUPS):
            yield axis, range(first, end), size // length * (end - first)


def digest(numbers: Array) -> str:
    """SHA-256 of numbers: equal exactly when all are equal, +0 and −0 among them; NaN are of one kind."""
    numbers = numbers.astype(np.int64) if numbers.dtype.kind in "bi" else numbers
    canonical = np.where(numbers == 0, np.zeros(1, numbers.dtype), numbers)
    if numbers.dtype.kind == "f":
        canonical = np.where(np.isnan(canonical), np.nan, canonical)
    return hashlib.sha256(np.ascontiguousarray(canonical).tobytes()).hexdigest()


def strangers(values: Values) -> dict[str, Any]:
    """How many elements are NaN, +Inf and −Inf, and a digest of where; NaN are one kind."""
    floats = values.floats
    kinds = np.select([np.isnan(floats), floats == np.inf, floats == -np.inf], [1, 2, 3], 0).astype(np.uint8)
    nan, positive, negative = (int((kinds == kind).sum()) for kind in (1, 2, 3))
    return {"nan": nan, "+inf": positive, "-inf": negative, "where": digest(kinds) if nan + positive + negative else ""}


def _chunks(flat: Floats) -> Iterator[tuple[Floats, npt.NDArray[np.uint64]]]:
    stream = np.random.Philox(key=_SIGN_KEY)
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        yield chunk, stream.random_raw(chunk.size).astype("<u8")


def _stratified(size: int) -> Positions:
    stretches = _stretches(size, _STRATA)
    words = np.random.Philox(key=_PROBE_KEY).random_raw(len(stretches))
    chosen = [first + (int(word) * (end - first) >> 64) for word, (first, end) in zip(words, stretches, strict=True)]
    return np.array(chosen, dtype=np.int64)


def _largest(magnitudes: Floats) -> Positions:
    """The places of the 32 largest elements, in no order."""
    if magnitudes.size <= _LARGEST:
        return np.arange(magnitudes.size)
    return np.argpartition(magnitudes, -_LARGEST)[-_LARGEST:]


def _outlier_channels(values: Floats) -> Positions:
    """Evenly spaced rows of the indices of the last axis that hold most of the energy."""
    channels = values.shape[-1] if values.ndim else 1
    rows = values.size // channels
    loudest = np.argsort(-along(np.abs(values.reshape(rows, channels)), 1), kind="stable")[:_OUTLIER_CHANNELS]
    spaced = np.unique(np.linspace(0, rows - 1, min(_ROWS, rows)).astype(np.int64))
    return np.asarray((spaced[:, None] * channels + loudest).reshape(-1))


def _grouped(sums: Floats) -> Floats:
    return np.add.reduceat(sums, [first for first, _ in _stretches(sums.size, _GROUPS)])


def _stretches(length: int, most: int) -> list[tuple[int, int]]:
    """First and end of at most so many equal stretches of a length."""
    count = min(most, length)
    return list(pairwise(length * number // count for number in range(count + 1)))
