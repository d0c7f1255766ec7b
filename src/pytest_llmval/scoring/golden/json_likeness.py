"""Where two JSON documents differ, some of their places ignored."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmval.scoring.golden.escaping import json_text
from pytest_llmval.scoring.golden.json_paths import path_text, places_in

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from pytest_llmval.scoring.golden.json_paths import JsonPath, Step
    from pytest_llmval.scoring.golden.tolerances import JsonLike

_ABSENT = object()
_SHOWN = 60
_KINDS = {type(None): "null", bool: "true or false", int: "number", float: "number", str: "text"}


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """One place that differs."""

    path: str
    golden: str
    """What stands there, as JSON or by its kind."""
    actual: str

    def __str__(self) -> str:
        return f"{self.path}: {self.golden} -> {self.actual}"


def read_json(text: str) -> Any:
    """A text as strict JSON, which has neither NaN nor infinity, and each key of an object once.

    Raises:
        ValueError: If it is none; the text says why.
    """
    try:
        return json.loads(
            text, parse_constant=_refused_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def _refused_constant(name: str) -> NoReturn:
    msg = f"{name} is not strict JSON, which has finite numbers alone"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        msg = f"{digits:.{_SHOWN}} is beyond what a number can hold"
        raise ValueError(msg)
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            msg = f"the key {_shown(key)} stands twice in one object, which is not strict JSON"
            raise ValueError(msg)
        found[key] = value
    return found


def json_differences(golden: Any, actual: Any, like: JsonLike) -> list[JsonDifference]:
    """Where two documents differ, in the order of the golden.

    Raises:
        ValueError: If they are nested too deeply to be compared.
    """
    differing = _in_structure if like.structure_only else _in_values
    try:
        return list(differing(golden, actual, (), like.paths))
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def paths_found(document: Any, paths: tuple[JsonPath, ...]) -> set[str]:
    """Those of the paths that mean some place of a document."""
    left = set(paths)
    for place in places_in(document) if left else ():
        left -= {path for path in left if path.covers(place)}
    return {path.text for path in set(paths) - left}


def _in_values(
    golden: Any, actual: Any, place: tuple[Step, ...], ignored: tuple[JsonPath, ...]
) -> Iterator[JsonDifference]:
    pairs = _children(golden, actual, place, ignored)
    if pairs is None:
        if _kind(golden) != _kind(actual) or golden != actual:
            yield JsonDifference(path_text(place), _shown(golden), _shown(actual))
        return
    for step, (left, right) in pairs.items():
        yield from _in_values(left, right, (*place, step), ignored)


def _in_structure(
    golden: Any, actual: Any, place: tuple[Step, ...], ignored: tuple[JsonPath, ...]
) -> Iterator[JsonDifference]:
    if isinstance(golden, list) and isinstance(actual, list):
        yield from _in_lists(golden, actual, place, ignored)
        return
    pairs = _children(golden, actual, place, ignored)
    if pairs is None and _kind(golden) != _kind(actual):
        yield JsonDifference(path_text(place), _kind(golden), _kind(actual))
    for step, (left, right) in (pairs or {}).items():
        yield from _in_structure(left, right, (*place, step), ignored)


def _in_lists(
    golden: list[Any], actual: list[Any], place: tuple[Step, ...], ignored: tuple[JsonPath, ...]
) -> Iterator[JsonDifference]:
    """Each element has the structure of some element of the golden; a list is empty where the golden's is."""
    known = {_shape(child, (*place, step), ignored): child for step, child in _kept_items(golden, place, ignored)}
    items = _kept_items(actual, place, ignored)
    if bool(known) != bool(items):
        sizes = (f"a list of {len(each)}" for each in (golden, actual))
        yield JsonDifference(path_text(place), *sizes)
        return
    for step, child in items:
        if _shape(child, (*place, step), ignored) not in known:
            yield from _in_structure(next(iter(known.values())), child, (*place, step), ignored)


def _children(
    golden: Any, actual: Any, place: tuple[Step, ...], ignored: tuple[JsonPath, ...]
) -> dict[Step, tuple[Any, Any]] | None:
    """What stands at each place below, on both sides; None unless both are objects or both lists."""
    if isinstance(golden, dict) and isinstance(actual, dict):
        found: dict[Step, tuple[Any, Any]] = {
            key: (golden.get(key, _ABSENT), actual.get(key, _ABSENT)) for key in {**golden, **actual}
        }
    elif isinstance(golden, list) and isinstance(actual, list):
        found = dict(enumerate(zip_longest(golden, actual, fillvalue=_ABSENT)))
    else:
        return None
    return {step: pair for step, pair in found.items() if not _is_ignored((*place, step), ignored)}


def _kept_items(items: list[Any], place: tuple[Step, ...], ignored: tuple[JsonPath, ...]) -> list[tuple[int, Any]]:
    return [(step, child) for step, child in enumerate(items) if not _is_ignored((*place, step), ignored)]


def _shape(value: Any, place: tuple[Step, ...], ignored: tuple[JsonPath, ...]) -> Hashable:
    """The structure of a value, equal for equal structures."""
    if isinstance(value, list):
        return "list", frozenset(
            _shape(child, (*place, step), ignored) for step, child in _kept_items(value, place, ignored)
        )
    if isinstance(value, dict):
        kept = {key: child for key, child in value.items() if not _is_ignored((*place, key), ignored)}
        return "object", frozenset((key, _shape(child, (*place, key), ignored)) for key, child in kept.items())
    return _kind(value)


def _is_ignored(place: tuple[Step, ...], ignored: tuple[JsonPath, ...]) -> bool:
    return any(path.covers(place) for path in ignored)


def _kind(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    return "object" if isinstance(value, dict) else _KINDS.get(type(value), "list")


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = json_text(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
