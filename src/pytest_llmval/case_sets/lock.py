"""The lock: a file that pins what the case sets of a suite ask, so that no dataset changes unnoticed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import CaseSet

LOCK_NAME = "llmval.lock"
SCHEMA = 1
CONFLICT_MARKERS = ("<<<<<<<", ">>>>>>>")


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One case set as it was when it was locked: an entry of the file."""

    source: str
    """The dataset, or the file whose code gave the rows; relative to the folder of the lock, with forward slashes."""
    name: str
    """Name of the case set."""
    cases: int
    sha256: str
    """The case set's `dataset_hash`: ids and fields of the cases it asks, in order."""

    def __str__(self) -> str:
        """The case set as reports show it, and its size: `faq@3f2a9c1d, 60 cases`."""
        return f"{self.name}@{self.sha256[:8]}, {self.cases} {'case' if self.cases == 1 else 'cases'}"


@dataclass(frozen=True, slots=True)
class Change:
    """A case set that is not as it was locked; both sides are of one source and name."""

    locked: Pin | None
    """None when it is new."""
    now: Pin | None
    """None when it is gone."""

    def __str__(self) -> str:
        """One line: `changed  faq.jsonl: faq@3f2a9c1d, 60 cases -> faq@77aa0b1c, 61 cases`."""
        if self.locked is None:
            return f"added    {_at(self.now)}"
        if self.now is None:
            return f"removed  {_at(self.locked)}"
        return f"changed  {_at(self.locked)} -> {self.now}"


def _at(pin: Pin | None) -> str:
    return f"{pin.source}: {pin}" if pin else ""


def pin_of(case_set: CaseSet, folder: Path) -> Pin:
    """The entry of a case set in the lock of a folder. Two selections of one dataset have two entries."""
    return Pin(_relative(case_set.source, folder), case_set.name, len(case_set), case_set.dataset_hash)


def _relative(source: Path, folder: Path) -> str:
    """The same on every machine: a dataset that is a link into a cache keeps its own place."""
    path = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow the link
    if not path.is_relative_to(folder):
        path, folder = path.resolve(), folder.resolve()
    return Path(os.path.relpath(path, folder)).as_posix()


def read_lock(path: Path) -> list[Pin]:
    """The entries of a lock file.

    Raises:
        DatasetError: If it is not what `llmval lock` writes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        _refuse_conflicts(text)
        return _pins(json.loads(text))
    except (OSError, ValueError) as error:
        msg = f"{path.name} cannot be read: {error}"
        raise DatasetError(msg) from error


def _refuse_conflicts(text: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(CONFLICT_MARKERS):
            msg = f"a merge left its marker {line[:40]!r} in line {number}"
            raise ValueError(msg)


def _pins(value: Any) -> list[Pin]:
    if not isinstance(value, dict) or value.get("version") != SCHEMA or not isinstance(value.get("case_sets"), list):
        msg = f"expected {{'version': {SCHEMA}, 'case_sets': [...]}}, got {_start(value)}"
        raise ValueError(msg)
    return [_pin(entry) for entry in value["case_sets"]]


def _pin(entry: Any) -> Pin:
    fields = {"source": str, "name": str, "cases": int, "sha256": str}
    if not isinstance(entry, dict) or {name: type(value) for name, value in entry.items()} != fields:
        msg = f"expected entries with the texts source, name and sha256 and the number cases, got {_start(entry)}"
        raise ValueError(msg)
    return Pin(**entry)


def _start(value: object) -> str:
    return f"{value!r:.80}"


def write_lock(path: Path, pins: Iterable[Pin], *, keep_others: bool = False) -> list[str]:
    """Write a lock file anew and give what that changed, one line a case set and one for the file.

    Args:
        path: The file.
        pins: What is asked now.
        keep_others: Whether what the file pins besides stays, since some of the tests alone were collected.

    Raises:
        DatasetError: If it cannot be written.
    """
    now, others = set(pins), set[Pin]()
    try:
        changes = changes_between(read_lock(path) if path.is_file() else (), now)
        others = {change.locked for change in changes if keep_others and change.locked and change.now is None}
        lines = [str(change) for change in changes if change.locked not in others] or ["nothing has changed"]
    except DatasetError as error:
        lines = [f"replaced: {error}"]
    try:
        path.write_text(_text(sorted(now | others)), encoding="utf-8", newline="\n")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise DatasetError(msg) from error
    return [*lines, f"{path.name} pins {_counted(len(now | others))}{_stay(len(others))}"]


def _counted(pins: int) -> str:
    return f"{pins} case {'set' if pins == 1 else 'sets'}"


def _stay(others: int) -> str:
    if not others:
        return ""
    were = "was not collected and stays as it was" if others == 1 else "were not collected and stay as they were"
    return f"; {others} of them {were}: `llmval lock` without TESTS drops what no test asks"


def _text(pins: Iterable[Pin]) -> str:
    """Sorted, one line an entry, so that a review shows one line for each change."""
    lines = ",\n".join("    " + json.dumps(dataclasses.asdict(pin), ensure_ascii=False) for pin in pins)
    return f'{{\n  "version": {SCHEMA},\n  "case_sets": [\n{lines}\n  ]\n}}\n'


def changes_between(locked: Iterable[Pin], now: Iterable[Pin]) -> list[Change]:
    """What differs, by source and name. Several selections of one dataset are paired as far as they go."""
    before, after = set(locked), set(now)
    gone, new = _by_place(before - after), _by_place(after - before)
    return [
        Change(*pair)
        for place in sorted(gone.keys() | new.keys())
        for pair in zip_longest(gone.get(place, ()), new.get(place, ()))
    ]


def _by_place(pins: Iterable[Pin]) -> dict[tuple[str, str], list[Pin]]:
    places = defaultdict(list)
    for pin in sorted(pins):
        places[pin.source, pin.name].append(pin)
    return places


def refusal(changes: Iterable[Change], lock: str, command: str) -> str:
    """Why a run stops, and what to do.

    Args:
        changes: What is asked now and was not locked.
        lock: The lock file as the user is to read it.
        command: What accepts the changes.
    """
    listed = "\n".join(f"    {change}" for change in changes)
    return (
        f"the data are not those that {lock} pins; no model was asked\n{listed}\n"
        f"If this is meant, accept it with `{command}` and commit {lock}.\n"
        "CI must not lock: it would accept whatever it is given."
    )
