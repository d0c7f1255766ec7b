"""A value against its golden, tensor by tensor, each by what its tier can show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.closeness import compare_tensors
from pytest_llmval.scoring.tensors.comparison import Comparison, TensorComparison
from pytest_llmval.scoring.tensors.golden.allowance import Asked, allowance_of, model_dtypes_of
from pytest_llmval.scoring.tensors.golden.sketched import compare_with_sketch
from pytest_llmval.scoring.tensors.golden.tiers import AUTO, leaves_to_keep, stored_tensor
from pytest_llmval.scoring.tensors.nesting import is_tensor
from pytest_llmval.scoring.tensors.norms import compare_rel_l2
from pytest_llmval.scoring.tensors.structure import differences_between, form_of, texts_of

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.golden.allowance import Allowance
    from pytest_llmval.scoring.tensors.golden.environment import Facts
    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden, StoredTensor
    from pytest_llmval.scoring.tensors.nesting import Leaves

_EXACT = (
    "integers beside floating-point tensors must be equal: a tolerance is for those; in a golden of their own it is "
    "for integers"
)


def compare_with_golden(value: Any, golden: StoredGolden, asked: Asked, facts: Facts) -> Comparison:
    """A value against its golden.

    Args:
        value: Tensors, and containers of them.
        golden: What is expected.
        asked: Tolerances, of which integers beside floating-point tensors take none; a golden of another environment
            gets `cross_tol`.
        facts: The environment of the value.

    Raises:
        TypeError: If the value has no tensor, or something that cannot be kept.
        ValueError: If a tolerance is below what the dtype or the golden's noise floor lets any result meet.
    """
    tensors, texts = leaves_to_keep(value)
    ours: Leaves = {**tensors, **texts}
    theirs: Leaves = {each.path: each for each in golden.tensors} | dict(golden.texts)
    problems = texts_of(differences_between(ours, theirs, check_dtype=True, check_device=False))
    is_foreign = golden.environment != dict(facts)
    dtypes = model_dtypes_of(golden, dict(facts)) if is_foreign else None
    exact = _integers_beside_floats(golden)
    found = [
        _different(path, ours, theirs, problems[path])
        if path in problems
        else (_exactly if path in exact else _compared)(path, ours[path], theirs[path], asked, dtypes)
        for path in {**theirs, **ours}
        if path in problems or is_tensor(theirs[path])
    ]
    return Comparison(_check(asked, golden, is_foreign=is_foreign), tuple(found))


def tier_problem(golden: StoredGolden, asked: Asked) -> str:
    """Why a golden is not of the tier that a test names; empty when it is, or none is named."""
    if asked.tier in {AUTO, golden.tier}:
        return ""
    return f"the golden is kept in tier {golden.tier!r}, and the test asks for {asked.tier!r}"


def kept_tensors(value: Any, tier: str) -> tuple[tuple[StoredTensor, ...], dict[str, str | None]]:
    """The tensors of a value in a tier's form, by sorted path, and the texts beside them.

    Raises:
        InvalidComparison: If a tensor has no elements.
        TypeError: If there is no tensor, or something that cannot be kept.
        ValueError: If numbers do not fit into the tier.
    """
    tensors, texts = leaves_to_keep(value)
    return tuple(stored_tensor(path, tensors[path], tier) for path in sorted(tensors)), texts


def _integers_beside_floats(golden: StoredGolden) -> set[str]:
    """Paths of the integers and bools; none where nothing is floating-point."""
    integers = {each.path for each in golden.tensors if each.is_integer}
    return integers if len(integers) < len(golden.tensors) else set()


def _exactly(
    path: str, actual: Any, stored: StoredTensor, asked: Asked, dtypes: tuple[str, ...] | None
) -> TensorComparison:
    """Integers that take no tolerance, so that none is named with which they would pass."""
    found = _compared(path, actual, stored, replace(asked, tol=None, cross_tol=None), dtypes)
    return found if found.passed or stored.is_sketch else replace(found, notes=(_EXACT,))


def _compared(
    path: str, actual: Any, stored: StoredTensor, asked: Asked, dtypes: tuple[str, ...] | None
) -> TensorComparison:
    allowed = allowance_of(stored, asked, model_dtypes=dtypes)
    if stored.is_sketch:
        return compare_with_sketch(path, actual, stored, allowed, equal_nan=asked.equal_nan)
    return replace(_by_elements(path, actual, stored, allowed, asked), expected_dtype=stored.dtype)


def _by_elements(path: str, actual: Any, stored: StoredTensor, allowed: Allowance, asked: Asked) -> TensorComparison:
    sides = {path: actual}, {path: stored}
    if allowed.tol is None:
        return compare_rel_l2(*sides, allowed.rel_l2, equal_nan=asked.equal_nan).tensors[0]
    return compare_tensors(*sides, tol=allowed.tol, equal_nan=asked.equal_nan).tensors[0]


def _check(asked: Asked, golden: StoredGolden, *, is_foreign: bool) -> str:
    if not is_foreign:
        return f"golden, {golden.tier}, within {asked.tol or 'Tol.auto of the dtypes'}"
    return f"golden of another environment, {golden.tier}, within {asked.cross_tol or 'rel-L2 across environments'}"


def _different(path: str, actual: Leaves, expected: Leaves, problem: str) -> TensorComparison:
    """A place where the structures differ, so that no numbers are compared."""
    forms = [form_of(side[path]) if is_tensor(side.get(path)) else None for side in (expected, actual)]
    known = [form for form in forms if form is not None]
    return TensorComparison(
        path=path,
        shape=known[0].shape if known else (),
        actual_dtype=forms[1].dtype if forms[1] else "",
        expected_dtype=forms[0].dtype if forms[0] else "",
        passed=False,
        problem=problem,
        value=float("inf"),
    )
