"""Suspicious transforms: how a weight that differs may have come from the expected one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.formats import coarser, rounded
from pytest_llmval.scoring.tensors.magnitudes import norm, ratio
from pytest_llmval.scoring.tensors.wording import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.formats import Floats

_SAME = 1e-2  # relative L2 error up to which two weights are one: a rounding to int8 stays below it
_NOTABLE = 1e-6  # a factor nearer to 1 than this is none
_HEAD_SIZES = (256, 192, 160, 128, 112, 96, 80, 64, 48, 40, 32, 24, 16, 8, 4)

Places = npt.NDArray[np.int64]
"""For each row of the actual weight, which row of the expected one it is."""


def weight_transform(actual: Values, expected: Values, head_dim: int | None = None) -> str:
    """The words for the transform of a stored weight, see `transform_of`; empty also when a side is not finite.

    The expected weight is taken as the coarser of the two dtypes would hold it, so that a permutation is recognised
    bit by bit.
    """
    if not (np.isfinite(actual.numbers).all() and np.isfinite(expected.numbers).all()):
        return ""
    form = coarser(actual.dtype, expected.dtype)
    return transform_of(actual.floats, rounded(expected.floats, form), eps=form.eps, head_dim=head_dim)


def transform_of(actual: Floats, expected: Floats, *, eps: float = 0.0, head_dim: int | None = None) -> str:
    """The words for the transform that makes the expected weight the actual one; empty when none is recognised.

    Known are: a transposed matrix, rows or columns permuted (whole heads, or the two halves of each head interleaved
    as for rotary embeddings), a common factor, a factor on some rows or columns, and all zeros.

    Args:
        actual: The weight that differs, finite.
        expected: The weight it should be, finite, of any shape.
        eps: Spacing at 1 of the coarser format: a factor is recognised through one rounding on each side.
        head_dim: Rows of a head, if known; else the usual sizes are tried.

    >>> transform_of(np.arange(6.0).reshape(2, 3).T, np.arange(6.0).reshape(2, 3))
    'transposed'
    """
    if not actual.any() and expected.any():
        return "all zeros"
    if actual.shape != expected.shape:
        return _of_other_shape(actual, expected)
    return next(filter(None, _candidates(actual, expected, eps, head_dim)), "")


def _of_other_shape(actual: Floats, expected: Floats) -> str:
    if actual.ndim == 2 and actual.T.shape == expected.shape and is_same(actual.T, expected):  # noqa: PLR2004
        return "transposed"
    if actual.size == expected.size and is_same(actual.ravel(), expected.ravel()):
        return "reshaped: the same numbers in the same order"
    return ""


def _candidates(actual: Floats, expected: Floats, eps: float, head_dim: int | None) -> Iterator[str]:
    yield _factor(actual, expected, eps)
    if actual.ndim == 2 and actual.shape[0] == actual.shape[1] and is_same(actual.T, expected):  # noqa: PLR2004
        yield "transposed"
    for axis, name in enumerate(("rows", "columns")[: actual.ndim]):
        ours, theirs = (np.moveaxis(side, axis, 0).reshape(side.shape[axis], -1) for side in (actual, expected))
        yield permutation_of(ours, theirs, name, head_dim)
    for axis, name in enumerate(("rows", "columns")[: actual.ndim]):
        ours, theirs = (np.moveaxis(side, axis, 0).reshape(side.shape[axis], -1) for side in (actual, expected))
        yield _slice_factors(ours, theirs, name, eps)


def is_same(actual: Floats, expected: Floats) -> bool:
    """Whether two weights of one shape are one up to rounding."""
    return ratio(norm(actual - expected), norm(expected)) <= _SAME


def permutation_of(actual: Floats, expected: Floats, name: str, head_dim: int | None) -> str:
    """The words for a permutation of rows, `[rows, rest]`; empty when it is none."""
    places = _places(actual, expected)
    if places is None or np.array_equal(places, np.arange(len(places))):
        return ""
    return _interleaving(places, name, head_dim) or _blocks(places, name)


def _places(actual: Floats, expected: Floats) -> Places | None:
    """Which row went where; None when the rows are not the same ones. Equal rows stay in place where they can."""
    homes: dict[bytes, list[int]] = {}
    keys = [row.tobytes() for row in expected + 0.0]
    ours = [row.tobytes() for row in actual + 0.0]
    for place in reversed(range(len(keys))):
        if ours[place] != keys[place]:
            homes.setdefault(keys[place], []).append(place)
    places = np.arange(len(ours), dtype=np.int64)
    for place in range(len(ours)):
        if ours[place] != keys[place]:
            if not homes.get(ours[place]):
                return None
            places[place] = homes[ours[place]].pop()
    return places


def _interleaving(places: Places, name: str, head_dim: int | None) -> str:
    """Whether each head's two halves became alternating rows, or the other way round."""
    for size in (head_dim,) if head_dim else _HEAD_SIZES:
        if len(places) % size or size % 2:
            continue
        halves = np.arange(size).reshape(2, -1).T.ravel()
        heads = np.arange(0, len(places), size)[:, None]
        if np.array_equal(places, (heads + halves).ravel()):
            return f"rotary halves interleaved: within heads of {size} {name}, halves became alternating {name}"
        if np.array_equal(places, (heads + np.argsort(halves)).ravel()):
            return f"rotary halves de-interleaved: within heads of {size} {name}, alternating {name} became halves"
    return ""


def _blocks(places: Places, name: str) -> str:
    """The largest blocks that moved as a whole, and the first ones that did."""
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 2) != 1)
    size = math.gcd(len(places), *(int(start) for start in starts))
    if size == 1:
        moved = int((places != np.arange(len(places))).sum())
        return f"{name} permuted: {moved} of {len(places)} {name} stand elsewhere"
    order = [int(place) // size for place in places[::size]]
    moves = [f"{was} -> {now}" for now, was in enumerate(order) if now != was]
    shown = ", ".join(moves[:4]) + (f" and {len(moves) - 4} more" if len(moves) > 4 else "")  # noqa: PLR2004
    return f"heads permuted: blocks of {size} {name} moved ({shown})"


def _factor(actual: Floats, expected: Floats, eps: float) -> str:
    """A common factor, found by least squares."""
    factor = ratio(float(np.vdot(actual, expected)), norm(expected) ** 2)
    if not (math.isfinite(factor) and factor and abs(factor - 1) > max(_NOTABLE, eps / 2)):
        return ""
    unexplained = max(_SAME * norm(actual - expected), eps / 2 * norm(actual))
    return f"scaled by {factor:.6g}" if norm(actual - factor * expected) <= unexplained else ""


def _slice_factors(actual: Floats, expected: Floats, name: str, eps: float) -> str:
    """A factor on some rows: most are equal, and those that are not are multiples."""
    wrong = np.flatnonzero(np.any(actual != expected, axis=1))
    if not wrong.size or wrong.size > len(actual) // 2:
        return ""
    found = [_factor(actual[row], expected[row], eps) for row in wrong]
    if not all(found):
        return ""
    which = f"{name[:-1]} {wrong[0]}" if wrong.size == 1 else f"{wrong.size} {name} from {wrong[0]} to {wrong[-1]}"
    return f"{which} ({share(wrong.size, len(actual))} of {name}) {found[0]}"
