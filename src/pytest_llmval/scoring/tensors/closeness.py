"""Element by element: within a tolerance, within ULPs, or bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.comparison import Comparison, concluded
from pytest_llmval.scoring.tensors.formats import Format, dtype_name, format_of
from pytest_llmval.scoring.tensors.judged import Finding, compare_leaves
from pytest_llmval.scoring.tensors.magnitudes import root_mean_square
from pytest_llmval.scoring.tensors.statistics import mismatch_concentration
from pytest_llmval.scoring.tensors.tolerances import Tol, refuse_unreachable
from pytest_llmval.scoring.tensors.wording import rounded_up, share, steps_text

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.pairs import Flags, Options, Pair


def compare_tensors(actual: Any, expected: Any, *, tol: Tol | None = None, **options: Unpack[Options]) -> Comparison:
    """Element by element within a tolerance, computed in float64; nothing is broadcast.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        expected: The same, of equal structure.
        tol: By default `Tol.auto` of each tensor's dtypes, which suits one operation, not a deep network.
        **options: See `Options`: `mask`, `axes`, `tokens`, `equal_nan`, `check_dtype`, `check_device`,
            `allow_empty`.

    Raises:
        ValueError: If the tolerance is below half a spacing of the format at an expected value, so that no inexact
            result can pass; if a tensor has no data; if the mask does not fit.
        TypeError: If something is no tensor, number, text or container.
    """

    def criterion(pair: Pair) -> Finding:
        allowed = tol or Tol.auto(*pair.dtypes)
        if allowed.max_ulp is not None:
            return _within_ulps(pair, allowed.max_ulp, pair.format)
        return _within(pair, allowed)

    return compare_leaves(actual, expected, criterion, f"elementwise within {tol or 'Tol.auto of the dtypes'}", options)


def assert_tensors_close(
    actual: Any, expected: Any, *, tol: Tol | None = None, **options: Unpack[Options]
) -> Comparison:
    """Two tensors, or containers of them, are equal within a tolerance; see `compare_tensors`.

    Raises:
        ModelRegression: If an element of any tensor is beyond it; the message covers all failing tensors.
        InvalidComparison: If there was nothing to compare.

    >>> assert_tensors_close([1.0, 2.0], [1.0, 2.0 + 1e-9]).passed
    True
    """
    __tracebackhide__ = True
    return concluded(compare_tensors(actual, expected, tol=tol, **options))


def compare_ulps(
    actual: Any, expected: Any, max_ulp: int, *, dtype: object = None, **options: Unpack[Options]
) -> Comparison:
    """Element by element within a number of representable numbers (ULP); +0 and −0 are the same.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        expected: The same, of equal structure.
        max_ulp: Most numbers between the two.
        dtype: Both sides are rounded to it before; by default the coarser of their dtypes.
        **options: See `Options`.
    """
    tol, form = Tol.ulp(max_ulp), format_of(dtype) if dtype is not None else None
    check = f"within {tol}" + (f" of {dtype_name(dtype)}" if dtype is not None else "")
    return compare_leaves(
        actual, expected, lambda pair: _within_ulps(pair, max_ulp, form or pair.format), check, options
    )


def assert_ulp_close(
    actual: Any, expected: Any, max_ulp: int, *, dtype: object = None, **options: Unpack[Options]
) -> Comparison:
    """Two tensors are at most `max_ulp` representable numbers apart; see `compare_ulps`.

    Raises:
        ModelRegression: If an element is further away.
        InvalidComparison: If there was nothing to compare.
    """
    __tracebackhide__ = True
    return concluded(compare_ulps(actual, expected, max_ulp, dtype=dtype, **options))


def compare_bits(
    actual: Any, expected: Any, *, distinguish_signed_zero: bool = True, **options: Unpack[Options]
) -> Comparison:
    """Bit by bit, for what is claimed to be deterministic. NaN is equal to NaN only with `equal_nan=True`.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        expected: The same, of equal structure; `check_dtype=False` then compares values.
        distinguish_signed_zero: Whether +0 differs from −0.
        **options: See `Options`.
    """

    def criterion(pair: Pair) -> Finding:
        wrong = pair.difference > 0
        if distinguish_signed_zero and pair.actual.bits.dtype == pair.expected.bits.dtype:
            wrong = pair.finite & (pair.actual.bits != pair.expected.bits)
        return _counted(pair, wrong, f"of {int(pair.selected.sum())} elements differ", (_bit_note(pair, wrong),))

    return compare_leaves(actual, expected, criterion, "bitwise equal", options)


def assert_bitwise_equal(
    actual: Any, expected: Any, *, distinguish_signed_zero: bool = True, **options: Unpack[Options]
) -> Comparison:
    """Two tensors have the same bits; see `compare_bits`.

    Raises:
        ModelRegression: If an element differs; the message says whether all are one rounding away.
        InvalidComparison: If there was nothing to compare.
    """
    __tracebackhide__ = True
    return concluded(compare_bits(actual, expected, distinguish_signed_zero=distinguish_signed_zero, **options))


def _within(pair: Pair, tol: Tol) -> Finding:
    expected = pair.floats()[1]
    rms = root_mean_square(expected[pair.finite])
    refuse_unreachable(tol, expected[pair.finite], pair.dtypes, rms=rms, path=pair.path)
    wrong = pair.finite & (pair.difference > tol.allowance(expected, rms))
    return _counted(pair, wrong, f"of {int(pair.selected.sum())} elements {_verdict(tol)}", _sufficient(pair, tol, rms))


def _within_ulps(pair: Pair, max_ulp: int, form: Format) -> Finding:
    steps = pair.ulps(form)
    wrong = pair.finite & (steps > max_ulp)
    most = int(steps.max(initial=0))
    notes = (f"would pass with Tol.ulp({most})",) if wrong.any() else ()
    return _counted(pair, wrong, f"of {int(pair.selected.sum())} elements beyond {max_ulp} ULP of {form.name}", notes)


def _counted(pair: Pair, wrong: Flags, problem: str, notes: tuple[str, ...]) -> Finding:
    """A finding by the number of elements that are wrong, those not finite on one side included."""
    everywhere = wrong | pair.disagreeing
    count = int(everywhere.sum())
    return Finding(
        passed=not wrong.any(),
        problem=f"{count} {problem} ({share(count, int(pair.selected.sum()))})",
        value=float(count),
        limit=0.0,
        mismatches=count,
        concentration=mismatch_concentration(everywhere, pair.labels),
        notes=notes if wrong.any() else (),
    )


def _sufficient(pair: Pair, tol: Tol, rms: float) -> tuple[str, ...]:
    """The smallest change of each part of the tolerance with which the finite elements pass."""
    expected = np.abs(pair.floats()[1])
    difference, fixed = pair.difference, tol.atol + tol.atol_rms * rms
    zeros = pair.finite & (expected == 0) & (difference > fixed)
    lacking = np.maximum(difference - fixed, 0.0)
    rtol = float(np.divide(lacking, expected, out=np.zeros(pair.shape), where=expected > 0).max(initial=0.0))
    above = float(np.where(pair.finite, difference - tol.rtol * expected, 0.0).max(initial=0.0))
    ways = [f"rtol {rounded_up(_next(rtol))}{_kept(atol=tol.atol, rms=tol.atol_rms)}"] if not zeros.any() else []
    ways += [f"atol {rounded_up(_next(above) if tol.rtol else above)}{_kept(rtol=tol.rtol)}"]
    ways += [f"atol_rms {rounded_up(_next(above / rms))}{_kept(rtol=tol.rtol)}"] if rms else []
    ways += [f"Tol.ulp({int(pair.ulps().max(initial=0))})"]
    return (f"would pass with {' | '.join(ways)}",)


def _verdict(tol: Tol) -> str:
    return "differ" if tol.is_exact else f"beyond {tol}"


def _next(value: float) -> float:
    """Slightly more, for the rounding of the tolerance's own formula."""
    return value * (1 + 1e-12)


def _kept(*, rtol: float = 0.0, atol: float = 0.0, rms: float = 0.0) -> str:
    """The parts of the tolerance that stay as they are."""
    parts = [f"{name} {value:.3g}" for name, value in (("rtol", rtol), ("atol", atol), ("atol_rms", rms)) if value]
    return f" (with {', '.join(parts)})" if parts else ""


def _bit_note(pair: Pair, wrong: Flags) -> str:
    steps = pair.ulps()
    most = int(np.where(wrong, steps, 0).max(initial=0))
    if most == 0:
        return "they differ by the sign of zero only"
    return f"none is further than {steps_text(most, pair.format.name)}" + (": one rounding" if most == 1 else "")
