"""Statistics of a pair: norms, angle, worst elements, non-finite elements, and where the error lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.comparison import Census, Concentration, Site, Statistics
from pytest_llmval.scoring.tensors.formats import Floats, ulp_distance
from pytest_llmval.scoring.tensors.magnitudes import cosine, norm, ratio, root_mean_square

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.labels import Labels
    from pytest_llmval.scoring.tensors.pairs import Flags, Pair

_MANY = 8  # below it, chance puts most of the mismatches at one index


def statistics_of(pair: Pair, concentration: tuple[Concentration, ...] = ()) -> Statistics:
    """How the two sides differ, whatever is tolerated."""
    actual, expected = pair.floats()
    ours, theirs = norm(actual), norm(expected)
    return Statistics(
        rel_l2=ratio(norm(pair.difference), theirs),
        cosine=cosine(actual, expected),
        norm_ratio=ratio(ours, theirs) if theirs or ours else 1.0,
        expected_rms=root_mean_square(expected[pair.finite]),
        worst=_worst(pair, pair.difference, pair.finite),
        worst_relative=_worst_relative(pair, expected),
        actual_census=census(pair.actual.numbers, pair.selected),
        expected_census=census(pair.expected.numbers, pair.selected),
        disagreeing=int(pair.disagreeing.sum()),
        concentration=concentration,
    )


def census(numbers: np.ndarray[tuple[int, ...], np.dtype[np.generic]], selected: Flags) -> Census:
    """The selected elements that are no finite numbers."""
    strange = selected & ~np.isfinite(numbers)
    if not strange.any():
        return Census()
    where = tuple(int(place) for place in np.argwhere(strange)[0])
    values = numbers[strange]
    return Census(int(np.isnan(values).sum()), int((values == np.inf).sum()), int((values == -np.inf).sum()), where)


def site_at(pair: Pair, index: tuple[int, ...]) -> Site:
    """Both sides at one index, where both are finite."""
    actual, expected = pair.actual.numbers[index], pair.expected.numbers[index]
    ours, theirs = (np.array([side], dtype=np.float64) for side in (actual, expected))
    steps = pair.difference[index] if pair.format.is_integer else ulp_distance(ours, theirs, pair.format)[0]
    return Site(
        index=index,
        place=pair.labels.place(index),
        actual=actual.item(),
        expected=expected.item(),
        difference=float(pair.difference[index]),
        ulps=int(steps),
        ulp_format=pair.format.name,
    )


def concentration_of(
    error: Floats, labels: Labels, of: str, *, background: Floats | None = None
) -> tuple[Concentration, ...]:
    """Axes with one index that holds most of an error, in the order of the axes.

    An index is named when its share is more than half-way from an even spread to all of it.

    Args:
        error: What is shared out, not negative, of the tensor's shape.
        labels: Names of the axes.
        of: What it is, for the message.
        background: As much is taken off before; what is left counts where it is positive.
    """
    found = [_concentration_along(axis, error, labels, of, background) for axis in range(error.ndim)]
    return tuple(each for each in found if each is not None)


def error_concentration(pair: Pair, control: Floats | None = None) -> tuple[Concentration, ...]:
    """Concentration of the squared error, less that of a control of the same shape."""
    unit = float(pair.difference.max(initial=0.0)) or 1.0  # squares of very large or small numbers are no floats
    error = (pair.difference / unit) ** 2
    if control is None:
        return concentration_of(error, pair.labels, "the squared error")
    background = np.minimum(control / unit, 1e100) ** 2
    return concentration_of(error, pair.labels, "the excess over the control", background=background)


def mismatch_concentration(wrong: Flags, labels: Labels) -> tuple[Concentration, ...]:
    """Concentration of elements beyond a tolerance; nothing for a handful of them."""
    many = int(wrong.sum()) >= _MANY
    return concentration_of(wrong.astype(np.float64), labels, "the mismatches") if many else ()


def along(values: Floats, axis: int) -> Floats:
    """Sum over every other axis, `[length of the axis]`."""
    others = tuple(each for each in range(values.ndim) if each != axis)
    total: Floats = values.sum(axis=others)
    return total


def _concentration_along(
    axis: int, error: Floats, labels: Labels, of: str, background: Floats | None
) -> Concentration | None:
    length = error.shape[axis]
    sums = along(error, axis)
    if background is not None:
        sums = np.maximum(sums - along(background, axis), 0.0)
    total = float(sums.sum())
    if length < 2 or not total or not math.isfinite(total):  # noqa: PLR2004 - one index holds everything
        return None
    top = int(np.argmax(sums))
    held = float(sums[top]) / total
    even = 1 / length
    return Concentration(axis, labels.axis_name(axis), top, held, of) if held > (even + 1) / 2 else None


def _worst(pair: Pair, amount: Floats, among: Flags) -> Site | None:
    if not among.any():
        return None
    flat = int(np.argmax(np.where(among, amount, -1.0)))
    return site_at(pair, tuple(int(place) for place in np.unravel_index(flat, pair.shape)))


def _worst_relative(pair: Pair, expected: Floats) -> Site | None:
    among = pair.finite & (expected != 0)
    relative = np.divide(pair.difference, np.abs(expected), out=np.zeros(pair.shape), where=among)
    return _worst(pair, relative, among)
