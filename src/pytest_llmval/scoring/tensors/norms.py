"""One number a tensor: relative L2 error, and the cosine with the norm ratio that it is blind to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.comparison import Comparison, concluded
from pytest_llmval.scoring.tensors.judged import Finding, compare_leaves
from pytest_llmval.scoring.tensors.magnitudes import cosine, norm, ratio
from pytest_llmval.scoring.tensors.statistics import error_concentration
from pytest_llmval.scoring.tensors.wording import apart, number, rounded_down, rounded_up

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.pairs import Options, Pair

Axis = int | str | None
"""An axis by number or by its name in `axes=`; None for the whole tensor."""


def compare_rel_l2(
    actual: Any, expected: Any, max_rel: float, *, per_axis: Axis = None, **options: Unpack[Options]
) -> Comparison:
    """‖actual − expected‖ / ‖expected‖ of each tensor against a limit.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        expected: The same, of equal structure.
        max_rel: Largest relative error, at least 0.
        per_axis: Every index along this axis must keep the limit by itself, so that a wrong row cannot hide among
            right ones.
        **options: See `Options`.
    """
    _refuse_limit("max_rel", max_rel, 0.0, math.inf)

    def criterion(pair: Pair) -> Finding:
        worst, where = worst_slice(pair, relative_errors(pair, per_axis), per_axis)
        value, limit = apart(worst, max_rel)
        return Finding(
            passed=worst <= max_rel,
            problem=f"rel-L2 {value}{where}, allowed {limit}",
            value=worst,
            limit=max_rel,
            concentration=error_concentration(pair),
            notes=(f"would pass with rel-L2 {rounded_up(worst)}",) if math.isfinite(worst) else (),
        )

    return compare_leaves(actual, expected, criterion, f"rel-L2 within {number(max_rel)}", options)


def assert_rel_l2(
    actual: Any, expected: Any, max_rel: float, *, per_axis: Axis = None, **options: Unpack[Options]
) -> Comparison:
    """The relative L2 error of each tensor keeps a limit; see `compare_rel_l2`.

    Raises:
        ModelRegression: If one does not.
        InvalidComparison: If there was nothing to compare.
    """
    __tracebackhide__ = True
    return concluded(compare_rel_l2(actual, expected, max_rel, per_axis=per_axis, **options))


def compare_cosine(
    actual: Any,
    expected: Any,
    minimum: float,
    *,
    gain_tol: float = 0.05,
    per_axis: Axis = None,
    **options: Unpack[Options],
) -> Comparison:
    """Cosine of the angle between two tensors against a bar, and their norm ratio against 1.

    A cosine grows with the square of the error: 0.99 allows a relative L2 error of 0.14. It does not see a factor
    on the whole tensor at all, hence the second limit.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        expected: The same, of equal structure.
        minimum: Smallest cosine, in [−1, 1].
        gain_tol: Largest |‖actual‖ / ‖expected‖ − 1|.
        per_axis: Every index along this axis must pass by itself.
        **options: See `Options`.
    """
    _refuse_limit("minimum", minimum, -1.0, 1.0)
    _refuse_limit("gain_tol", gain_tol, 0.0, math.inf)

    def criterion(pair: Pair) -> Finding:
        angles, gains = _angles_and_gains(pair, per_axis)
        angle, at_angle = worst_slice(pair, 1 - angles, per_axis)
        gain, at_gain = worst_slice(pair, np.abs(gains - 1), per_axis)
        return _angle_finding(pair, (1 - angle, at_angle, minimum), (gain, at_gain, gain_tol))

    check = f"cosine of at least {minimum:g} and norm ratio within {gain_tol:g} of 1"
    return compare_leaves(actual, expected, criterion, check, options)


def assert_cosine(
    actual: Any,
    expected: Any,
    minimum: float,
    *,
    gain_tol: float = 0.05,
    per_axis: Axis = None,
    **options: Unpack[Options],
) -> Comparison:
    """Two tensors point the same way and are of the same length; see `compare_cosine`.

    Raises:
        ModelRegression: If the angle or the norm ratio of one is beyond its limit.
        InvalidComparison: If there was nothing to compare.
    """
    __tracebackhide__ = True
    return concluded(compare_cosine(actual, expected, minimum, gain_tol=gain_tol, per_axis=per_axis, **options))


def slices_of(values: Floats, axis: int | None) -> Floats:
    """A tensor as rows, `[length of the axis, all else]`; one row for no axis."""
    return values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def axis_of(pair: Pair, per_axis: Axis) -> int | None:
    """The number of an axis of a pair."""
    return None if per_axis is None else pair.labels.axis_number(per_axis, len(pair.shape))


def relative_errors(pair: Pair, per_axis: Axis) -> Floats:
    """Relative L2 error of each index along an axis, `[length of the axis]`."""
    axis = axis_of(pair, per_axis)
    errors, wholes = slices_of(pair.difference, axis), slices_of(pair.floats()[1], axis)
    return np.array([ratio(norm(error), norm(whole)) for error, whole in zip(errors, wholes, strict=True)])


def worst_slice(pair: Pair, values: Floats, per_axis: Axis) -> tuple[float, str]:
    """The largest of one value an index, and the words that say where."""
    place = int(np.argmax(values))
    axis = axis_of(pair, per_axis)
    if axis is None:
        return float(values[place]), ""
    name = pair.labels.axis_name(axis)
    return float(values[place]), f" at {name} {place}" if name else f" at index {place} of axis {axis}"


def _angles_and_gains(pair: Pair, per_axis: Axis) -> tuple[Floats, Floats]:
    axis = axis_of(pair, per_axis)
    ours, theirs = (slices_of(side, axis) for side in pair.floats())
    rows = list(zip(ours, theirs, strict=True))
    gains = [
        ratio(norm(actual), norm(expected)) if actual.any() or expected.any() else 1.0 for actual, expected in rows
    ]
    return np.array([cosine(*row) for row in rows]), np.array(gains)


def _angle_finding(pair: Pair, angle: tuple[float, str, float], gain: tuple[float, str, float]) -> Finding:
    problems = []
    if angle[0] < angle[2]:
        problems.append("cosine {}{where}, at least {} asked".format(*apart(angle[0], angle[2]), where=angle[1]))
    if gain[0] > gain[2]:
        problems.append("norm ratio {} from 1{where}, allowed {}".format(*apart(gain[0], gain[2]), where=gain[1]))
    return Finding(
        passed=not problems,
        problem="; ".join(problems) or f"cosine {angle[0]:.6g}",
        value=1 - angle[0],
        limit=1 - angle[2],
        concentration=error_concentration(pair),
        notes=(f"would pass with cosine {rounded_down(angle[0], 6)} and gain_tol {rounded_up(gain[0])}",),
    )


def _refuse_limit(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        msg = f"{name}={value!r}; expected a number in [{low:g}, {high:g}]"
        raise ValueError(msg)
