"""A function as text, by which a change of it is noticed."""

from __future__ import annotations

import inspect
from functools import partial
from types import CellType
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable

_EMPTY = CellType()


def source_of(function: Callable[..., object]) -> str:
    """A function as text, so that editing it changes a hash; its name where the source is not at hand.

    What it was made with counts as well: arguments of a partial, plain values that a closure or an object holds.
    """
    return _source(function, ())


def function_hash(function: Callable[..., object]) -> str:
    """Eight digits that change with a function: what a metric's version has of it."""
    return content_hash(source_of(function))[:8]


def _source(function: Any, within: tuple[object, ...]) -> str:
    """The text of a function that is held by others, of which it may hold one itself."""
    text = _written(function.func if isinstance(function, partial) else function)
    held = [_told(each, (*within, function)) for each in _held_by(function)]
    return f"{text}\n{held!r}" if held else text


def _written(function: Any) -> str:
    for each in (function, type(function)):
        try:
            return inspect.getsource(each)
        except (OSError, TypeError):
            continue
    return _named(function)


def _named(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def _held_by(function: Any) -> list[object]:
    """What two functions of one source may differ in."""
    if isinstance(function, partial):
        return [*function.args, *sorted(function.keywords.items())]
    if inspect.isfunction(function):
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != _EMPTY]
        # Of two lambdas in one line the source is the same.
        is_one_of_several = function.__name__ == "<lambda>" and _written(function).count("lambda") > 1
        code = function.__code__
        return [*cells, code.co_names, code.co_consts] if is_one_of_several else cells
    return [] if inspect.isroutine(function) else sorted(getattr(function, "__dict__", {}).items())


def _told(value: object, within: tuple[object, ...]) -> object:
    """A value in a form that is the same in every process: no place in memory is in it."""
    if isinstance(value, tuple | list):
        return [_told(each, within) for each in value]
    if isinstance(value, str | int | float | None):
        return value
    if not callable(value) or isinstance(value, type):
        return type(value).__qualname__
    return _named(value) if any(each is value for each in within) else _source(value, within)
