"""Within control: the error is no larger than that of an implementation known to be legitimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.comparison import Comparison, concluded
from pytest_llmval.scoring.tensors.formats import coarser
from pytest_llmval.scoring.tensors.judged import Finding, compare_leaves
from pytest_llmval.scoring.tensors.nesting import leaves_of
from pytest_llmval.scoring.tensors.norms import Axis, axis_of, relative_errors, worst_slice
from pytest_llmval.scoring.tensors.pairs import Pair, pair_of
from pytest_llmval.scoring.tensors.statistics import error_concentration
from pytest_llmval.scoring.tensors.structure import differences_between
from pytest_llmval.scoring.tensors.wording import apart, number

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.pairs import Options

_HALF_EPS = 1e-4  # formats with a wider spacing at 1 count as half precision
_FEW, _HANDFUL = 1000, 10


@dataclass(frozen=True, slots=True)
class Bound:
    """`error(candidate) ≤ factor · error(control) + floor`, errors relative to the reference in L2."""

    factor: float
    floor: float

    def __str__(self) -> str:
        return f"{self.factor:g} x control + {number(self.floor)}"


def compare_within_control(
    candidate: Any,
    reference: Any,
    control: Any,
    *,
    factor: float | None = None,
    floor: float | None = None,
    per_axis: Axis = None,
    **options: Unpack[Options],
) -> Comparison:
    """Relative L2 error of a candidate against that of a control, both to one reference.

    No constant tolerance suits every dtype, depth and device. The error of a second implementation that is known to
    be right, in the candidate's precision, is the scale on which the candidate's error is judged.

    Args:
        candidate: What is tested: tensor, or containers of them.
        reference: The same computed more precisely, for example in float32.
        control: The same computed by a legitimate implementation in the candidate's precision.
        factor: How many times the control's error is allowed; by default 2 for float32 and wider, 3 for half
            precision, 8 below 1000 elements and 10 up to 10 elements, where one rounding weighs more.
        floor: Relative error that is always allowed; by default one rounding in the coarser format of candidate and
            control. With 0 and a control equal to the reference the candidate must be equal too.
        per_axis: Every index along this axis is judged by itself, so that a wrong row cannot hide among right ones.
        **options: See `Options`. Dtypes of the sides may differ here.

    Source:
        FlashAttention's tests (factor 2 over plain PyTorch, reference in float32) and `torch/_dynamo/utils.py`
        (`same`: root mean squares, factors by dtype and size). We add the floor of one rounding.
    """
    leaves = leaves_of(control)
    fitting = dict(options, check_dtype=options.get("check_dtype", False))
    bars = leaves_of(reference)
    differences = differences_between(leaves, bars, check_dtype=False, check_device=False)
    if differences:
        msg = f"the control does not fit the reference: {differences[0].text}; expected equal names and shapes"
        raise ValueError(msg)

    def criterion(pair: Pair) -> Finding:
        other = pair_of(pair.path, leaves[pair.path], bars[pair.path], options)
        return _judged(pair, other, _bound(pair, other, factor, floor), per_axis)

    return compare_leaves(candidate, reference, criterion, _check(factor, floor), fitting)  # type: ignore[arg-type]


def assert_within_control(
    candidate: Any,
    reference: Any,
    control: Any,
    *,
    factor: float | None = None,
    floor: float | None = None,
    per_axis: Axis = None,
    **options: Unpack[Options],
) -> Comparison:
    """A candidate's error is at most `factor` times that of a legitimate implementation, plus `floor`.

    See `compare_within_control`. It is the assertion for outputs of deep networks.

    Raises:
        ModelRegression: If a tensor's error is larger.
        InvalidComparison: If there was nothing to compare, or the control itself is not finite where the reference is.
    """
    __tracebackhide__ = True
    return concluded(
        compare_within_control(candidate, reference, control, factor=factor, floor=floor, per_axis=per_axis, **options)
    )


def _check(factor: float | None, floor: float | None) -> str:
    for name, value in (("factor", factor), ("floor", floor)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            msg = f"{name}={value!r}; expected a finite number of at least 0"
            raise ValueError(msg)
    times = "the factor of its dtype and size" if factor is None else f"{factor:g} times"
    return f"error within {times} the control's" + (f" + {number(floor)}" if floor else "")


def _bound(pair: Pair, control: Pair, factor: float | None, floor: float | None) -> Bound:
    form = coarser(pair.actual.dtype, control.actual.dtype)
    return Bound(
        _factor(form.eps, int(pair.selected.sum())) if factor is None else factor,
        (0.0 if form.is_integer else form.eps / 2) if floor is None else floor,
    )


def _factor(eps: float, elements: int) -> float:
    if elements <= _HANDFUL:
        return 10.0
    if elements < _FEW:
        return 8.0
    return 3.0 if eps > _HALF_EPS else 2.0


def _judged(pair: Pair, control: Pair, bound: Bound, per_axis: Axis) -> Finding:
    if control.disagreeing.any():
        return _without_control(control)
    ours, theirs = relative_errors(pair, per_axis), relative_errors(control, per_axis)
    allowed = bound.factor * theirs + bound.floor
    excess, where = worst_slice(pair, _excess(ours, allowed), per_axis)
    place = int(np.argmax(_excess(ours, allowed)))
    error, limit = apart(float(ours[place]), float(allowed[place]))
    return Finding(
        passed=bool(np.all(ours <= allowed)),
        problem=f"rel-L2 {error}{where}, allowed {limit} ({bound}; control {number(float(theirs[place]))})",
        value=excess,
        limit=1.0,
        concentration=_excess_concentration(pair, control, bound),
        notes=(_sufficient(ours, theirs, bound, axis_of(pair, per_axis)),),
    )


def _excess(errors: Floats, allowed: Floats) -> Floats:
    """Error in units of what is allowed."""
    beyond = np.where(errors > 0, np.inf, 0.0)
    with np.errstate(over="ignore"):
        return np.divide(errors, allowed, out=beyond, where=(allowed > 0) & np.isfinite(allowed))


def _without_control(control: Pair) -> Finding:
    count = int(control.disagreeing.sum())
    return Finding(
        passed=False,
        problem=f"the control is not finite at {count} elements where the reference is, so it gives no scale",
        value=0.0,
        limit=0.0,
        undecided=True,
    )


def _excess_concentration(pair: Pair, control: Pair, bound: Bound) -> tuple[Any, ...]:
    return error_concentration(pair, bound.factor * control.difference)


def _sufficient(ours: Floats, theirs: Floats, bound: Bound, axis: int | None) -> str:
    """The smallest factor that would pass, or that no factor does."""
    lacking = np.maximum(ours - bound.floor, 0.0)
    slices = "" if axis is None else f" of every index of axis {axis}"
    if np.any((theirs == 0) & (lacking > 0)):
        return f"no factor would pass: the control equals the reference; floor {number(float(lacking.max()))} would"
    needed = float(np.divide(lacking, theirs, out=np.zeros(len(ours)), where=theirs > 0).max())
    return f"the candidate's error{slices} is up to {number(needed)} times the control's beyond the floor"
