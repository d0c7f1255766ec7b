"""Edit: one change of a value, and what several of them make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a value: something new in place of a part, or of the whole."""

    span: tuple[int, int] | None
    """The part, `value[start:end]`; None for the whole value."""
    new: Any
    change: str
    """The change in words: `'retrun' for 'return'`."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A value after its edits."""

    value: Any
    change: str
    """All changes in words, in the order of the value."""


@dataclass(frozen=True, eq=False)
class Edits(Sequence[Edit]):
    """Edits that are made when they are looked at: a long text has a million of them."""

    places: Sequence[int]
    """What tells them apart."""
    make: Callable[[int], Edit]
    """Gives the edit of a place."""

    @overload
    def __getitem__(self, index: int) -> Edit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Edit, ...]: ...
    def __getitem__(self, index: int | slice) -> Edit | tuple[Edit, ...]:
        """An edit by its position."""
        if isinstance(index, slice):
            return tuple(map(self.make, self.places[index]))
        return self.make(self.places[index])

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)


def apply_edits(value: Any, edits: Iterable[Edit]) -> Changed:
    """The value with all edits made; of edits that overlap the first one alone, and of the whole value only one.

    >>> apply_edits("one two", [Edit((4, 7), "tow", "'tow' for 'two'"), Edit((0, 0), " ", "a blank in front")])
    Changed(value=' one tow', change="a blank in front, 'tow' for 'two'")
    """
    given = list(edits)
    whole = next((edit for edit in given if edit.span is None), None)
    if whole is not None:
        return Changed(whole.new, whole.change)
    made = _apart(sorted(given, key=lambda edit: edit.span or ()))
    parts, end = [], 0
    for start, stop, edit in made:
        parts += [value[end:start], edit.new]
        end = stop
    text = "".join([*parts, value[end:]]) if made else value
    return Changed(text, ", ".join(edit.change for *_, edit in made))


def _apart(edits: Iterable[Edit]) -> list[tuple[int, int, Edit]]:
    """Start, end and edit, without those that overlap an earlier one."""
    apart: list[tuple[int, int, Edit]] = []
    for edit in edits:
        start, end = edit.span or (0, 0)
        if not apart or start >= apart[-1][1]:
            apart.append((start, end, edit))
    return apart


def quote(text: str) -> str:
    """A piece of text in quotes, cut where it is long: it stands in messages.

    >>> quote("return")
    "'return'"
    """
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")
