"""Weights: the same tensors by name, and the transform that a wrong one suggests."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

import numpy as np

from pytest_llmval.scoring.tensors.arrays import are_equal, is_array, is_torch, values_of
from pytest_llmval.scoring.tensors.closeness import compare_tensors
from pytest_llmval.scoring.tensors.comparison import Comparison, TensorComparison, concluded
from pytest_llmval.scoring.tensors.nesting import Leaves, leaves_of
from pytest_llmval.scoring.tensors.structure import form_of
from pytest_llmval.scoring.tensors.tolerances import Tol
from pytest_llmval.scoring.tensors.transforms import weight_transform

NameMap = Mapping[str, str] | Callable[[str], str]
"""Names of the actual side in those of the expected side."""


def compare_weights(
    actual: Any,
    expected: Any,
    *,
    tol: Tol | None = None,
    name_map: NameMap | None = None,
    ignore: Iterable[str] = (),
    tied: bool = True,
    head_dim: int | None = None,
    check_dtype: bool = True,
) -> Comparison:
    """Weights of two models by name; of a wrong one, the transform of the expected weight that it looks like.

    Args:
        actual: Module, state dict, or nested containers of weights.
        expected: The same; both sides may be of torch or NumPy.
        tol: By default exact.
        name_map: How names of the actual side read on the expected one: a mapping, or a function. A name that a
            mapping lacks stays as it is.
        ignore: Patterns of expected names to leave out, for example `*.inv_freq`.
        tied: Whether weights that share storage on one side must do so on the other.
        head_dim: Rows of an attention head, to recognise interleaved rotary halves; the usual sizes are tried.
        check_dtype: Whether dtypes must be equal.

    Raises:
        ValueError: If two names of the actual side become one, or a pattern leaves out no tensor.
    """
    ours = _renamed(leaves_of(actual), name_map)
    theirs = leaves_of(expected)
    ignored = _ignored({**theirs, **ours}, ignore)
    kept = [{name: leaf for name, leaf in side.items() if name not in ignored} for side in (ours, theirs)]
    equal = [_equal(name, kept[1][name]) for name in kept[1] if _are_equal(kept[0].get(name), kept[1][name])]
    done = {each.path for each in equal}
    rest = [{name: leaf for name, leaf in side.items() if name not in done} for side in kept]
    found = compare_tensors(*rest, tol=tol or Tol.exact(), check_dtype=check_dtype)
    hints = _Hints(kept[0], kept[1], head_dim)
    tensors = [each if each.passed else hints.explained(each) for each in found.tensors]
    check = f"weights within {tol}" if tol else "weights equal"
    return Comparison(check, (*equal, *tensors, *_ties(*kept, tied=tied)))


def assert_weights_match(
    actual: Any,
    expected: Any,
    *,
    tol: Tol | None = None,
    name_map: NameMap | None = None,
    ignore: Iterable[str] = (),
    tied: bool = True,
    head_dim: int | None = None,
    check_dtype: bool = True,
) -> Comparison:
    """Two models have the same weights; see `compare_weights`.

    Raises:
        ModelRegression: If a weight is missing, unexpected or different; the message names the transform it looks
            like: transposed, heads permuted, rotary halves interleaved, scaled, or taken from another name.
        InvalidComparison: If there are no weights.
    """
    __tracebackhide__ = True
    return concluded(
        compare_weights(
            actual,
            expected,
            tol=tol,
            name_map=name_map,
            ignore=ignore,
            tied=tied,
            head_dim=head_dim,
            check_dtype=check_dtype,
        )
    )


def _are_equal(actual: Any, expected: Any) -> bool:
    return is_array(actual) and is_array(expected) and are_equal(actual, expected)


def _equal(name: str, leaf: Any) -> TensorComparison:
    """A weight that is equal in its own dtype: a float64 copy of a large embedding would say no more."""
    form = form_of(leaf)
    return TensorComparison(
        path=name,
        shape=form.shape,
        actual_dtype=form.dtype,
        expected_dtype=form.dtype,
        passed=True,
        compared=math.prod(form.shape),
        mismatches=0,
    )


class _Hints:
    """What is suspicious about the weights that differ."""

    def __init__(self, actual: Leaves, expected: Leaves, head_dim: int | None) -> None:
        self._actual, self._expected, self._head_dim = actual, expected, head_dim
        self._names: dict[str, str] | None = None

    def explained(self, tensor: TensorComparison) -> TensorComparison:
        """The same with the transform in its problem, if one is recognised."""
        if not (is_array(self._actual.get(tensor.path)) and is_array(self._expected.get(tensor.path))):
            return tensor
        hint = self._transform(tensor.path) or self._other_name(tensor.path)
        return replace(tensor, problem=f"{tensor.problem}: looks {hint}") if hint else tensor

    def _transform(self, path: str) -> str:
        ours, theirs = (values_of(side[path], path) for side in (self._actual, self._expected))
        return weight_transform(ours, theirs, self._head_dim)

    def _other_name(self, path: str) -> str:
        """Another expected weight with these very bits: swapped layers, for example."""
        if self._names is None:
            self._names = {_digest(leaf): name for name, leaf in self._expected.items() if is_array(leaf)}
        name = self._names.get(_digest(self._actual[path]), path)
        return "" if name == path else f"like the expected {name!r}"


def _digest(leaf: Any) -> str:
    values = values_of(leaf)
    return hashlib.sha256(f"{values.dtype}{values.shape}".encode() + values.bits.tobytes()).hexdigest()


def _renamed(leaves: Leaves, name_map: NameMap | None) -> Leaves:
    if name_map is None:
        return leaves
    rename = name_map if callable(name_map) else lambda name: name_map.get(name, name)
    renamed = {rename(name): leaf for name, leaf in leaves.items()}
    if len(renamed) < len(leaves):
        names = [rename(name) for name in leaves]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"name_map: two weights of the actual side become {twice!r}; expected different names"
        raise ValueError(msg)
    return renamed


def _ignored(leaves: Leaves, patterns: Iterable[str]) -> set[str]:
    """Names that match a pattern. A pattern that matches nothing is a typing error, or hides one."""
    ignored: set[str] = set()
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        matching = {name for name in leaves if fnmatch(name, pattern)}
        if not matching:
            msg = f"ignore: {pattern!r} matches no weight; expected a name or a pattern with * of one"
            raise ValueError(msg)
        ignored |= matching
    return ignored


def _ties(actual: Leaves, expected: Leaves, *, tied: bool) -> tuple[TensorComparison, ...]:
    """One entry for each group of weights that share storage on one side only."""
    if not tied:
        return ()
    ours, theirs = _tied_groups(actual), _tied_groups(expected)
    lost = [(group, "expected one storage -> actual separate") for group in sorted(theirs - ours, key=sorted)]
    gained = [(group, "expected separate -> actual one storage") for group in sorted(ours - theirs, key=sorted)]
    shared = actual.keys() & expected.keys()
    return tuple(_tie(group, words, expected) for group, words in lost + gained if group <= shared)


def _tie(group: frozenset[str], words: str, expected: Leaves) -> TensorComparison:
    names = sorted(group)
    form = form_of(expected[names[0]])
    problem = f"tied weights {', '.join(names)}: {words}; tied=False if that is meant"
    return TensorComparison(
        path=names[0], shape=form.shape, actual_dtype=form.dtype, expected_dtype=form.dtype, passed=False,
        problem=problem, value=float("inf"),
    )  # fmt: skip


def _tied_groups(leaves: Leaves) -> set[frozenset[str]]:
    groups: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for name, leaf in leaves.items():
        if is_array(leaf) and all(form_of(leaf).shape):
            groups[_storage(leaf)].add(name)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def _storage(leaf: Any) -> tuple[Any, ...]:
    """Where the numbers lie. Views of one array that differ in shape or start are not tied."""
    if is_torch(leaf):
        return (str(leaf.device), leaf.data_ptr() or id(leaf), tuple(leaf.shape))
    array = np.asarray(leaf)
    return ("numpy", array.__array_interface__["data"][0], array.shape)
