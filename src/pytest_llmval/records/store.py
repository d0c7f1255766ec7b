"""The record store on a local disk.

runs/<run id>/manifest.json       what was asked of which model, with what
runs/<run id>/responses/*.jsonl   one immutable segment a block of records
runs/<run id>/engine.log          what the engine process of the workers had to say
runs/<run id>/verdicts.jsonl      one line a gate, with the per-case scores it rests on
index/<records' key>              the run and segment in which a block was measured
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

from filelock import FileLock

from pytest_llmval.errors import StoreError
from pytest_llmval.records.files import append_line, json_line, make_folder, open_log, replace_file, reported
from pytest_llmval.records.record import Record, from_json, taken_over, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import BaseFileLock

VERDICTS = "verdicts.jsonl"
"""File of a run's verdicts, in its folder."""

Line = TypeVar("Line")


class LlmvalStoreWarning(UserWarning):
    """A record on disk is damaged; what is whole is used."""


LlmvalStoreWarning.__module__ = "pytest_llmval"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands."""

    run_id: str
    block: str


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Records below one folder. Nothing is created before the first record."""

    root: Path

    def run_folder(self, run_id: str) -> Path:
        """The folder of a run."""
        return self.root / "runs" / run_id

    @property
    def hashes(self) -> Path:
        """Where hashes of large model files are remembered."""
        return self.root / "hashes"

    def open(self) -> None:
        """Create the store, and keep it out of version control.

        Raises:
            StoreError: If the folder cannot be made.
        """
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            replace_file(ignore, "*\n")

    def engine_log(self, run_id: str) -> Path:
        """Where the engine process of a run writes."""
        return self.run_folder(run_id) / "engine.log"

    def open_log(self, path: Path) -> IO[str]:
        """A file of the store for a process to write to.

        Raises:
            StoreError: If it cannot be opened.
        """
        self.open()
        return open_log(path)

    def _segment(self, run_id: str, block: str) -> Path:
        return self.run_folder(run_id) / "responses" / f"{block}.jsonl"

    def lock(self, run_id: str, block: str) -> BaseFileLock:
        """The lock under which one process of a run computes a block."""
        folder = self.run_folder(run_id) / "locks"
        with reported(folder):
            make_folder(folder)
        return FileLock(folder / f"{block}.lock")

    def read_block(self, run_id: str, block: str) -> list[Record] | None:
        """The records of a block, None when the run has not committed it."""
        path = self._segment(run_id, block)
        return list(read_records(path)) if path.exists() else None

    def write_block(self, run_id: str, block: str, records: list[Record]) -> None:
        """Commit a block: all of its records or none."""
        lines = [json_line(to_json(record)) for record in records]
        replace_file(self._segment(run_id, block), "\n".join(lines) + "\n")

    def copy_block(self, source: Place, goal: Place, version: str, keys: tuple[str, ...]) -> list[Record] | None:
        """Commit what another run recorded as a block of this one; None when its records have other keys.

        What it repeats is on disk, so nobody waits for the copy to be there as well.
        """
        entries: list[dict[str, Any]] = []

        def read(data: dict[str, Any]) -> Record:
            entries.append(taken_over(data, version))
            return from_json(entries[-1])

        records = list(_read_lines(self._segment(source.run_id, source.block), read))
        if tuple(record.key for record in records) != keys:
            return None
        text = "\n".join(map(json_line, entries)) + "\n"
        replace_file(self._segment(goal.run_id, goal.block), text, is_synced=False)
        return records

    def find_block(self, index_key: str) -> Place | None:
        """Where a block was measured, None when nowhere or its records are gone."""
        try:
            run_id, block = (self.root / "index" / index_key).read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            return None
        return Place(run_id, block) if self._segment(run_id, block).exists() else None

    def index_block(self, index_key: str, run_id: str, block: str) -> None:
        """Let later runs find a block."""
        replace_file(self.root / "index" / index_key, f"{run_id} {block}\n")

    def append(self, run_id: str, name: str, entry: dict[str, Any]) -> None:
        """Add a line to a file of the run that this process alone writes."""
        append_line(self.run_folder(run_id) / name, json_line(entry))

    def write_manifest(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Replace the manifest of a run."""
        replace_file(self.run_folder(run_id) / "manifest.json", json.dumps(manifest, indent=1) + "\n")

    def read_manifest(self, run_id: str) -> dict[str, Any]:
        """The manifest of a run.

        Raises:
            StoreError: If there is none.
        """
        path = self.run_folder(run_id) / "manifest.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            msg = f"{path}: no manifest of a run can be read: {error}"
            raise StoreError(msg) from error

    def runs(self) -> list[str]:
        """Ids of the runs that have a manifest, oldest first."""
        found = [path.parent.name for path in self.root.glob("runs/*/manifest.json")]
        return sorted(found, key=lambda run_id: (self.read_manifest(run_id).get("started_at", ""), run_id))

    def verdicts(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The verdicts of a run, each with its test and its evidence, in the order they were reached."""
        path = self.run_folder(run_id) / VERDICTS
        if path.exists():
            yield from _read_lines(path, _verdict)

    def responses(self, run_id: str) -> Iterator[Record]:
        """All records of a run."""
        for path in sorted((self.run_folder(run_id) / "responses").glob("*.jsonl")):
            yield from read_records(path)


def read_records(path: Path) -> Iterator[Record]:
    """The records of a segment; a line that is torn or foreign is reported and left out."""
    return _read_lines(path, from_json)


def _verdict(data: dict[str, Any]) -> dict[str, Any]:
    return data | {name: data[name] for name in ("test", "metric", "evidence")}


def _read_lines(path: Path, parse: Callable[[Any], Line]) -> Iterator[Line]:
    # Not splitlines(): a text may hold other line separators than the one that ends a record.
    # Bytes, since a line may be torn inside a character.
    for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        try:
            yield parse(json.loads(line.decode()))
        except (ValueError, KeyError, TypeError) as error:
            text = f"{path.name}:{number}: not a whole record ({type(error).__name__}); it is left out"
            warnings.warn(text, LlmvalStoreWarning, stacklevel=2)
