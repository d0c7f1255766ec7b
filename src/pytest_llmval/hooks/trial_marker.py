"""The marker `llmval_trials`: read and checked at collection; `hooks/trials.py` follows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.errors import nearest
from pytest_llmval.stash import written_decoration_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

NAME = "llmval_trials"
USAGE = f"{NAME}(n, min_pass_rate=1.0)"
_ARGUMENTS = ("n", "min_pass_rate")


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a test is run, and how often it has to pass."""

    most_trials: int
    min_pass_rate: float
    """In (0, 1]; 1 asks that every trial passes."""


def repeats_of(item: pytest.Item) -> Repeats | None:
    """What the marker of a test asks for, None without a marker; fails where it cannot be followed."""
    marker = item.get_closest_marker(NAME)
    if marker is None:
        return None
    try:
        _check_item(item)
        return _repeats(marker.args, marker.kwargs)
    except ValueError as error:
        pytest.fail(f"{item.name}: {error}", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Refuse a wrong marker while the test is collected; marks of single parameters are there as well."""
    made = yield
    for item in made if isinstance(made, list) else ():
        if isinstance(item, pytest.Item):
            repeats_of(item)
    return made


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load what repeats tests when one asks for it: its hooks would be called for each test of any suite."""
    if any(item.get_closest_marker(NAME) for item in session.items):
        session.config.pluginmanager.import_plugin("pytest_llmval.hooks.trials")


def _check_item(item: pytest.Item) -> None:
    """Refuse tests that cannot be repeated.

    Raises:
        ValueError: With the way to go instead.
    """
    decoration = written_decoration_of(item)
    if decoration is not None and decoration.mode == "all":
        msg = (
            f"{NAME} repeats single tests, and this one judges all of {decoration.case_set.name}; "
            "ask each case several times with cases(..., trials=5)"
        )
        raise ValueError(msg)
    if not _runs_a_function(item):
        msg = f"{NAME} repeats test functions and methods of plain classes, not {type(item).__name__}s"
        raise ValueError(msg)
    if "subtests" in getattr(item, "fixturenames", ()):
        msg = f"{NAME} and the fixture 'subtests' exclude each other: a subtest is reported by itself, once a trial"
        raise ValueError(msg)


def _runs_a_function(item: pytest.Item) -> bool:
    """Whether an item is a test function or a method whose failures come out of its call; unittest keeps them."""
    from unittest import TestCase

    return isinstance(item, pytest.Function) and not issubclass(item.cls or object, TestCase)


def _repeats(positional: Sequence[Any], named: Mapping[str, Any]) -> Repeats:
    given = _arguments(positional, named)
    trials, rate = given["n"], given.get("min_pass_rate", 1.0)
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        msg = f"{NAME}: n={trials!r}; expected a whole number of at least 1"
        raise ValueError(msg)
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not (0 < rate <= 1 and math.isfinite(rate)):
        msg = f"{NAME}: min_pass_rate={rate!r}; expected a share above 0 and up to 1, for example 0.9"
        raise ValueError(msg)
    if trials == 1 and rate < 1:
        msg = f"{NAME}: n=1 with min_pass_rate={rate!r}; one trial shows no rate, expected at least 2"
        raise ValueError(msg)
    return Repeats(trials, float(rate))


def _arguments(positional: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    for name in named:
        if name not in _ARGUMENTS:
            msg = f"{USAGE}: unexpected argument {name!r}; {nearest(name, _ARGUMENTS)}"
            raise ValueError(msg)
    given = dict(zip(_ARGUMENTS, positional, strict=False))
    if len(positional) > len(_ARGUMENTS) or given.keys() & named.keys():
        msg = f"{USAGE}: given {[*positional]!r} and {dict(named)!r}; expected each argument once"
        raise ValueError(msg)
    if "n" not in {*given, *named}:
        msg = f"{USAGE}: n is missing; expected the number of trials, for example {NAME}(30, min_pass_rate=0.8)"
        raise ValueError(msg)
    return given | dict(named)
