"""Paths into JSON: `$.items[*].price`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = str | int
"""A key of an object, or a position in a list."""
_STEP = re.compile(
    r"""\.(?P<any_key>\*) | \[(?P<any_item>\*)\] | \.(?P<key>[^.\[\]*'"\s]+) | \[(?P<item>\d+)\]
    | \['(?P<single>[^']*)'\] | \["(?P<double>[^"]*)"\]""",
    re.VERBOSE,
)
_PLAIN_KEY = re.compile(r"[^.\[\]*'\"\s]+")


@dataclass(frozen=True, slots=True)
class AnyKey:
    """Every key of an object: `.*`."""


@dataclass(frozen=True, slots=True)
class AnyItem:
    """Every element of a list: `[*]`."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """One or several places in a JSON document."""

    text: str
    steps: tuple[Step | AnyKey | AnyItem, ...]

    def covers(self, place: tuple[Step, ...]) -> bool:
        """Whether a place is one of those meant."""
        return len(place) == len(self.steps) and all(map(_fits, self.steps, place))


def path_of(text: str) -> JsonPath:
    """A path, taken apart.

    Raises:
        ValueError: If it is none.
    """
    __tracebackhide__ = True
    steps, end = [], 1
    while text.startswith("$") and end < len(text) and (found := _STEP.match(text, end)):
        steps.append(_step(found))
        end = found.end()
    if not steps or end < len(text):
        msg = (
            f"ignore={text!r}: no path; expected one like '$.id', '$.items[*].price', '$.usage.*' or \"$['two words']\""
        )
        raise ValueError(msg)
    return JsonPath(text, tuple(steps))


def path_text(place: tuple[Step, ...]) -> str:
    """A place as a path."""
    return "$" + "".join(map(_step_text, place))


def places_in(document: Any, place: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Every place below the root of a document."""
    children: dict[Step, Any] = document if isinstance(document, dict) else {}
    children = dict(enumerate(document)) if isinstance(document, list) else children
    for step, child in children.items():
        yield (*place, step)
        yield from places_in(child, (*place, step))


def _step(found: re.Match[str]) -> Step | AnyKey | AnyItem:
    if found["any_key"]:
        return AnyKey()
    if found["any_item"]:
        return AnyItem()
    if found["item"]:
        return int(found["item"])
    return next(found[name] for name in ("key", "single", "double") if found[name] is not None)


def _fits(meant: Step | AnyKey | AnyItem, step: Step) -> bool:
    if isinstance(meant, AnyKey):
        return isinstance(step, str)
    return isinstance(step, int) if isinstance(meant, AnyItem) else meant == step


def _step_text(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{step!r}]"
