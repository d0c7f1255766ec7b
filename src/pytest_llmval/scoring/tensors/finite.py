"""Finite: no NaN and no infinity in what a model computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.comparison import Comparison, TensorComparison, concluded
from pytest_llmval.scoring.tensors.nesting import is_tensor, leaves_of
from pytest_llmval.scoring.tensors.pairs import pair_of
from pytest_llmval.scoring.tensors.statistics import census
from pytest_llmval.scoring.tensors.wording import share

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.pairs import Options, Pair


def compare_finite(actual: Any, *, allow_negative_infinity: bool = False, **options: Unpack[Options]) -> Comparison:
    """Every tensor of a nested value: its NaN and infinities, with the place of the first.

    Args:
        actual: Tensor, array, numbers, or containers of them.
        allow_negative_infinity: Whether −Inf passes, as in masks and in logits of forbidden tokens.
        **options: See `Options`; `mask`, `axes`, `tokens` and `allow_empty` have a meaning here.
    """
    tensors = {path: leaf for path, leaf in leaves_of(actual).items() if is_tensor(leaf)}
    check = "finite, or -Inf" if allow_negative_infinity else "finite"
    judged = [_judged(path, leaf, options, allowed=allow_negative_infinity) for path, leaf in tensors.items()]
    return Comparison(check, tuple(judged))


def assert_finite(actual: Any, *, allow_negative_infinity: bool = False, **options: Unpack[Options]) -> Comparison:
    """No element is NaN or infinite; see `compare_finite`.

    Raises:
        ModelRegression: If one is; the message counts them for each tensor.
        InvalidComparison: If there is no element.
    """
    __tracebackhide__ = True
    return concluded(compare_finite(actual, allow_negative_infinity=allow_negative_infinity, **options))


def _judged(path: str, leaf: Any, options: Options, *, allowed: bool) -> TensorComparison:
    pair = pair_of(path, leaf, leaf, options)
    strange = pair.selected & ~np.isfinite(pair.actual.numbers)
    if allowed:
        strange &= pair.actual.numbers != -np.inf
    count, total = int(strange.sum()), int(pair.selected.sum())
    found = census(pair.actual.numbers, pair.selected)
    problem = f"{count} of {total} elements are not finite ({share(count, total)}): {found}"
    return TensorComparison(
        path=path,
        shape=pair.shape,
        actual_dtype=pair.actual.dtype,
        expected_dtype=pair.actual.dtype,
        passed=not count and (total > 0 or options.get("allow_empty", False)),
        problem=problem if total else "there is no element to look at; allow_empty=True if that is meant",
        value=float(count),
        compared=total,
        excluded=pair.selected.size - total,
        mismatches=count,
        notes=_notes(pair, strange),
        undecided=not total,
    )


def _notes(pair: Pair, strange: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[str, ...]:
    if not strange.any():
        return ()
    first = pair.labels.place(tuple(int(place) for place in np.argwhere(strange)[0]))
    return (f"the first at {first}",)
