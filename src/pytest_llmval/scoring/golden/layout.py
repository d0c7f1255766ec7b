"""The layout of a golden file, that of syrupy's amber files, read strictly: what is damaged is named with its line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from json import JSONDecodeError
from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.golden.document import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VERSION = "llmval-1"
"""Raised when an older plugin could misread the file."""
_HEADER, _NAME, _END, _INDENT = "# serializer version: ", "# name: ", "# ---", "  "


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under one name."""

    text: str
    line: int
    """Line of the file on which the text begins, from 1."""


def read_entry(path: Path, name: str) -> str | None:
    """The text under a name, once it is known to hold goldens; None where there is none.

    Raises:
        InvalidComparison: If the file cannot be read; with the line and the reason.
    """
    try:
        entry = _entries(path).get(name)
        if entry is not None:
            _refuse_damaged(entry)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"the golden file {path} cannot be read: {reason}"
        raise InvalidComparison(msg) from error
    return None if entry is None else entry.text


def parsed(content: str) -> Mapping[str, Entry]:
    """The entries of a file's content, by name.

    Raises:
        ValueError: If it is damaged or of another version; the text says on which line.
    """
    lines = content.split("\n")
    if lines[0] != _HEADER + VERSION:
        msg = (
            f"line 1: expected {_HEADER + VERSION!r}, got {lines[0][:60]!r}: damaged, or written by a newer "
            f"version of pytest-llmval"
        )
        raise ValueError(msg)
    return _by_name(lines)


def _by_name(lines: list[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, entry in _blocks(lines):
        if name in found:
            msg = f"line {entry.line - 1}: {name!r} stands here a second time, as after a merge"
            raise ValueError(msg)
        found[name] = entry
    return found


def _blocks(lines: list[str]) -> Iterator[tuple[str, Entry]]:
    name, begin = "", 0
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith(_NAME) and not name:
            name, begin = line.removeprefix(_NAME), number + 1
        elif line == _END and name:
            text = "\n".join(each.removeprefix(_INDENT) for each in lines[begin - 1 : number - 1])
            yield name, Entry(text, begin)
            name = ""
        elif not (line.startswith(_INDENT) and name) and (line or name or number < len(lines)):
            raise ValueError(_unexpected(number, line, name))
    if name:
        msg = f"line {len(lines)}: the file ends within {name!r}: cut off"
        raise ValueError(msg)


def _unexpected(number: int, line: str, name: str) -> str:
    expected = f"a line of {name!r}, which begins with two blanks, or {_END!r}" if name else f"{_NAME + '…'!r}"
    return f"line {number}: expected {expected}, got {line[:60]!r}: damaged, or a merge that is not finished"


def _refuse_damaged(entry: Entry) -> None:
    try:
        from_text(entry.text)
    except JSONDecodeError as error:
        msg = f"line {entry.line + error.lineno - 1}: {error.msg} (column {error.colno + len(_INDENT)})"
        raise ValueError(msg) from error
    except ValueError as error:
        msg = f"line {entry.line}: {error}"
        raise ValueError(msg) from error


def _entries(path: Path) -> Mapping[str, Entry]:
    """The entries of a file, none when there is no file; of a file that did not change, those of the last time."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    return _read(path, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=8)
def _read(path: Path, *_state: int) -> Mapping[str, Entry]:
    return parsed(path.read_text(encoding="utf-8"))
