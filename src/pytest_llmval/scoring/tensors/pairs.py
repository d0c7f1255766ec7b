"""Pairs: two tensors of one shape, element by element in float64, and which elements count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.arrays import Array, Values, values_of
from pytest_llmval.scoring.tensors.formats import Floats, Format, coarser, ulp_distance
from pytest_llmval.scoring.tensors.labels import Labels, Tokens

Flags = npt.NDArray[np.bool_]


class Options(TypedDict, total=False):
    """Keyword arguments that every comparison of tensors takes."""

    mask: Any
    """True where elements count: the tensor's shape, or that of its first axes (an attention mask)."""
    axes: tuple[str, ...]
    """Names of the axes for the message, for example `("batch", "pos", "channel")`; of tensors with as many axes."""
    tokens: Tokens
    """Texts of the tokens for the message, `[positions]` or `[batch, positions]`."""
    equal_nan: bool
    """Whether NaN on both sides counts as equal; it does not by default."""
    check_dtype: bool
    """Whether dtypes must be equal; by default they must."""
    check_device: bool
    """Whether devices must be equal; by default they need not."""
    allow_empty: bool
    """Whether a tensor without elements passes; by default none does."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A tensor on both sides. All arrays have one shape."""

    path: str
    actual: Values
    expected: Values
    labels: Labels
    selected: Flags
    """Elements that count."""
    finite: Flags
    """Selected elements that are finite on both sides."""
    disagreeing: Flags
    """Selected elements where at least one side is not finite and they are not the same."""
    difference: Floats
    """|actual − expected|; 0 where not `finite`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.selected.shape

    @property
    def dtypes(self) -> tuple[str, str]:
        """Of the actual and of the expected side."""
        return self.actual.dtype, self.expected.dtype

    @property
    def format(self) -> Format:
        """The coarser of the two formats."""
        return coarser(*self.dtypes)

    def floats(self) -> tuple[Floats, Floats]:
        """Both sides in float64, actual first, 0 where not `finite`."""
        actual, expected = self.actual.floats, self.expected.floats
        return np.where(self.finite, actual, 0.0), np.where(self.finite, expected, 0.0)

    def ulps(self, form: Format | None = None) -> npt.NDArray[np.uint64]:
        """Numbers of a format between the two sides, 0 where not `finite`; by default of the coarser one."""
        if self.actual.is_integer and self.expected.is_integer:
            return np.minimum(self.difference, 2.0**63).astype(np.uint64)
        return ulp_distance(*self.floats(), form or self.format)


def pair_of(path: str, actual: Any, expected: Any, options: Options) -> Pair:
    """Two tensors of equal shape, read once.

    Raises:
        ValueError: If the mask does not fit, or a tensor has no data.
    """
    ours, theirs = values_of(actual, path), values_of(expected, path)
    selected = _selected(options.get("mask"), ours.shape, path)
    finite = selected & np.isfinite(ours.numbers) & np.isfinite(theirs.numbers)
    return Pair(
        path=path,
        actual=ours,
        expected=theirs,
        labels=labels_of(options, len(ours.shape)),
        selected=selected,
        finite=finite,
        disagreeing=selected & ~finite & ~_same_non_finite(ours, theirs, equal_nan=options.get("equal_nan", False)),
        difference=_difference(ours, theirs, finite),
    )


def labels_of(options: Options, dimensions: int) -> Labels:
    """The names and texts among the options; names only for a tensor of as many axes."""
    tokens, axes = options.get("tokens"), tuple(options.get("axes", ()))
    return Labels(axes if len(axes) == dimensions else (), () if tokens is None else tokens)


def _selected(mask: Any, shape: tuple[int, ...], path: str) -> Flags:
    if mask is None:
        return np.ones(shape, dtype=bool)
    flags = values_of(mask, "mask").numbers.astype(bool)
    if shape[: flags.ndim] != flags.shape:
        at = f"{path}: " if path else ""
        msg = f"{at}mask of shape {flags.shape} for a tensor of shape {shape}; expected that shape or its first axes"
        raise ValueError(msg)
    return np.broadcast_to(flags.reshape(flags.shape + (1,) * (len(shape) - flags.ndim)), shape).copy()


def _same_non_finite(actual: Values, expected: Values, *, equal_nan: bool) -> Flags:
    same = actual.numbers == expected.numbers
    if equal_nan:
        same = same | (np.isnan(actual.numbers) & np.isnan(expected.numbers))
    return np.asarray(same)


def _difference(actual: Values, expected: Values, finite: Flags) -> Floats:
    if actual.is_integer and expected.is_integer:
        return np.where(finite, _integer_difference(actual.numbers, expected.numbers), 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(actual.floats - expected.floats)
    return np.where(finite, apart, 0.0)


def _integer_difference(actual: Array, expected: Array) -> Floats:
    """Exact before it becomes a float: int64 beyond 2⁵³ would collapse in float64, and wrap in int64."""
    kinds = {actual.dtype.kind, expected.dtype.kind} - {"b"}
    if kinds == {"i", "u"}:
        exact: Floats = np.abs(actual.astype(object) - expected.astype(object)).astype(np.float64)
        return exact
    wide = np.uint64 if kinds == {"u"} else np.int64
    high = np.maximum(actual, expected).astype(wide).view(np.uint64)
    low = np.minimum(actual, expected).astype(wide).view(np.uint64)
    with np.errstate(over="ignore"):  # of one element NumPy warns, though unsigned subtraction is meant to wrap
        return np.asarray((high - low).astype(np.float64))
