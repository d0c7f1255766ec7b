"""The walk through two nested values: structure first, then a criterion tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_llmval.scoring.tensors.comparison import Comparison, Concentration, TensorComparison
from pytest_llmval.scoring.tensors.nesting import Leaves, is_tensor, leaves_of
from pytest_llmval.scoring.tensors.pairs import Options, Pair, pair_of
from pytest_llmval.scoring.tensors.statistics import statistics_of
from pytest_llmval.scoring.tensors.structure import differences_between, form_of, texts_of
from pytest_llmval.scoring.tensors.wording import counted


@dataclass(frozen=True, slots=True)
class Finding:
    """What a criterion says about one pair."""

    passed: bool
    problem: str
    """One phrase: what was measured against what is allowed."""
    value: float
    limit: float
    mismatches: int | None = None
    concentration: tuple[Concentration, ...] = ()
    notes: tuple[str, ...] = ()
    undecided: bool = False


Criterion = Callable[[Pair], Finding]


def compare_leaves(actual: Any, expected: Any, criterion: Criterion, check: str, options: Options) -> Comparison:
    """Both sides tensor by tensor; all of them, also after one that fails.

    Raises:
        TypeError: If a side holds something that cannot be compared, or an option is unknown.
        ValueError: If a tensor has no data, or the mask does not fit.
    """
    _refuse_unknown(options)
    ours, theirs = leaves_of(actual), leaves_of(expected)
    differences = differences_between(
        ours,
        theirs,
        check_dtype=options.get("check_dtype", True),
        check_device=options.get("check_device", False),
    )
    problems = texts_of(differences)
    found = [
        _incomparable(path, ours, theirs, problems[path])
        if path in problems
        else compare_pair(pair_of(path, ours[path], theirs[path], options), criterion, options)
        for path in {**theirs, **ours}
        if path in problems or is_tensor(theirs[path])
    ]
    return Comparison(check, tuple(found))


def compare_pair(pair: Pair, criterion: Criterion, options: Options) -> TensorComparison:
    """One tensor by a criterion; elements that are not finite on one side fail whatever it says."""
    if not pair.selected.any():
        return _without_elements(pair, allowed=options.get("allow_empty", False))
    finding = criterion(pair)
    disagreeing = int(pair.disagreeing.sum())
    return TensorComparison(
        path=pair.path,
        shape=pair.shape,
        actual_dtype=pair.actual.dtype,
        expected_dtype=pair.expected.dtype,
        passed=finding.passed and not disagreeing,
        problem=_problem(finding, disagreeing),
        value=finding.value,
        limit=finding.limit,
        compared=int(pair.selected.sum()),
        excluded=int(pair.selected.size - pair.selected.sum()),
        mismatches=finding.mismatches,
        statistics=statistics_of(pair, finding.concentration),
        notes=finding.notes,
        undecided=finding.undecided and not disagreeing,
    )


def _problem(finding: Finding, disagreeing: int) -> str:
    if not disagreeing or finding.undecided:
        return finding.problem
    strange = f"{counted(disagreeing, 'element')} NaN or infinite on one side only"
    return strange if finding.passed else f"{finding.problem}; {strange}"


def _without_elements(pair: Pair, *, allowed: bool) -> TensorComparison:
    masked = "the mask leaves no element" if pair.selected.size else "the tensor has no elements"
    return TensorComparison(
        path=pair.path,
        shape=pair.shape,
        actual_dtype=pair.actual.dtype,
        expected_dtype=pair.expected.dtype,
        passed=allowed,
        problem=f"{masked}, so nothing was compared; allow_empty=True if that is meant",
        excluded=pair.selected.size,
        undecided=not allowed,
    )


def _incomparable(path: str, actual: Leaves, expected: Leaves, problem: str) -> TensorComparison:
    ours, theirs = _form(actual, path), _form(expected, path)
    return TensorComparison(
        path=path, shape=theirs[0] or ours[0], actual_dtype=ours[1], expected_dtype=theirs[1], passed=False,
        problem=problem, value=float("inf"),
    )  # fmt: skip


def _form(leaves: Leaves, path: str) -> tuple[tuple[int, ...], str]:
    if path not in leaves or not is_tensor(leaves[path]):
        return (), ""
    form = form_of(leaves[path])
    return form.shape, form.dtype


def _refuse_unknown(options: Options) -> None:
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        msg = f"unknown option {unknown[0]!r}; expected one of {', '.join(sorted(Options.__annotations__))}"
        raise TypeError(msg)
