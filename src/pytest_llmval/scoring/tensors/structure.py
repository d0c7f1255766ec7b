"""Structure: whether two nested values hold the same tensors by name, shape, dtype and device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.arrays import is_array
from pytest_llmval.scoring.tensors.formats import dtype_name
from pytest_llmval.scoring.tensors.nesting import Leaves, is_tensor, leaves_of
from pytest_llmval.scoring.tensors.wording import counted, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class StructureDifference:
    """One place where two structures do not agree."""

    path: str
    kind: str
    """`missing`, `unexpected`, `kind`, `shape`, `dtype`, `device` or `value`."""
    text: str
    """The sentence: what was expected and what is there."""


@dataclass(frozen=True, slots=True)
class StructureComparison:
    """Whether two nested values have the same structure."""

    differences: tuple[StructureDifference, ...]
    leaves: int
    """Leaves of the expected side."""

    @property
    def passed(self) -> bool:
        """Whether there is no difference, and something to compare."""
        return not self.differences and self.leaves > 0

    @property
    def headline(self) -> str:
        """One line: how many places differ, of how many."""
        if not self.leaves:
            return "structures cannot be compared: the expected side is empty"
        if self.passed:
            return f"structures agree in {counted(self.leaves, 'leaf', 'leaves')}"
        places = counted(len(self.differences), "place")
        return f"structures differ in {places} ({counted(self.leaves, 'leaf', 'leaves')} expected)"

    def __str__(self) -> str:
        return "\n".join([self.headline, *lines_of([each.text for each in self.differences])])


@dataclass(frozen=True, slots=True)
class TensorForm:
    """What a tensor is, apart from its numbers."""

    shape: tuple[int, ...]
    dtype: str
    """Empty for lists and numbers, which agree with every dtype."""
    device: str


def compare_structure(
    actual: object, expected: object, *, check_dtype: bool = True, check_device: bool = False
) -> StructureComparison:
    """Names, kinds, shapes and dtypes of everything in two nested values; texts and None by value.

    Lists and tuples are the same kind, as are torch and NumPy. Nothing is broadcast: `(8,)` is not `(8, 1)`. Tensors
    on the meta device have a structure.
    """
    ours, theirs = leaves_of(actual), leaves_of(expected)
    found = differences_between(ours, theirs, check_dtype=check_dtype, check_device=check_device)
    return StructureComparison(tuple(found), sum(not _is_empty_container(each) for each in theirs.values()))


def assert_same_structure(
    actual: object, expected: object, *, check_dtype: bool = True, check_device: bool = False
) -> StructureComparison:
    """Two nested values hold the same tensors by name, shape and dtype.

    Raises:
        ModelRegression: If they do not, or there is nothing in them; the message names every difference.
    """
    __tracebackhide__ = True
    comparison = compare_structure(actual, expected, check_dtype=check_dtype, check_device=check_device)
    if not comparison.passed:
        raise ModelRegression(str(comparison))
    return comparison


def differences_between(
    actual: Leaves, expected: Leaves, *, check_dtype: bool, check_device: bool
) -> list[StructureDifference]:
    """Every difference between two sets of leaves, in the order of the expected side."""
    found: list[StructureDifference] = []
    for path, value in expected.items():
        if path not in actual:
            found.append(_difference(path, "missing", f"missing, expected {_described(value)}"))
        else:
            found += _leaf_differences(path, actual[path], value, check_dtype=check_dtype, check_device=check_device)
    extra = [path for path in actual if path not in expected]
    return found + [_difference(path, "unexpected", f"unexpected {_described(actual[path])}") for path in extra]


def _leaf_differences(
    path: str, actual: Any, expected: Any, *, check_dtype: bool, check_device: bool
) -> list[StructureDifference]:
    if is_tensor(actual) != is_tensor(expected):
        return [_difference(path, "kind", f"expected {_described(expected)} -> actual {_described(actual)}")]
    if not is_tensor(expected):
        return [] if _is_same(actual, expected) else [_difference(path, "value", _change(repr(expected), repr(actual)))]
    ours, theirs = form_of(actual), form_of(expected)
    checks = {"shape": True, "dtype": check_dtype and bool(ours.dtype and theirs.dtype), "device": check_device}
    names = [name for name, is_checked in checks.items() if is_checked and getattr(ours, name) != getattr(theirs, name)]
    return [
        _difference(path, name, f"{name} {_change(str(getattr(theirs, name)), str(getattr(ours, name)))}")
        for name in names
    ]


def form_of(value: Any) -> TensorForm:
    """Shape, dtype and device of a tensor, number or list of numbers."""
    if is_array(value):
        device = str(getattr(value, "device", "cpu"))
        return TensorForm(tuple(value.shape), dtype_name(value.dtype), device)
    return TensorForm(_list_shape(value), "", "cpu")


def _list_shape(value: Any) -> tuple[int, ...]:
    return (len(value), *_list_shape(value[0])) if isinstance(value, list | tuple) else ()


def _is_same(actual: object, expected: object) -> bool:
    if _is_empty_container(actual) and _is_empty_container(expected):
        return True
    return type(actual) is type(expected) and actual == expected


def _is_empty_container(value: object) -> bool:
    return not (value is None or isinstance(value, str | bytes) or is_tensor(value))


def _change(expected: str, actual: str) -> str:
    return f"expected {expected} -> actual {actual}"


def _difference(path: str, kind: str, text: str) -> StructureDifference:
    return StructureDifference(path, kind, f"{path or 'the value'}: {text}")


def _described(value: object) -> str:
    if not is_tensor(value):
        return "None" if value is None else f"{type(value).__name__} {value!r}"
    form = form_of(value)
    return f"{form.dtype or 'numbers'} of shape {form.shape}"


def texts_of(differences: Sequence[StructureDifference]) -> dict[str, str]:
    """The differences of each path on one line."""
    lines: dict[str, str] = {}
    for each in differences:
        text = each.text.removeprefix(f"{each.path or 'the value'}: ")
        lines[each.path] = f"{lines[each.path]}, {text}" if each.path in lines else text
    return lines
