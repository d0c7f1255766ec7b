"""Files that are whole or absent, and readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from pytest_llmval.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def json_line(value: object, *, sort_keys: bool = False) -> str:
    """A value as one line of JSON, readable where it can be; a lone surrogate, which UTF-8 lacks, is escaped."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=sort_keys)
    return line if line.isascii() or _is_unicode(line) else json.dumps(value, sort_keys=sort_keys)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, for the owner only."""
    if folder.is_dir():
        return
    # With parents=True, mkdir would give the mode to the last folder alone.
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True)


def replace_file(path: Path, text: str, *, is_synced: bool = True) -> None:
    """Write a file so that a reader sees the old or the new one, never half of it, also after a crash.

    Args:
        path: The file.
        text: All of it.
        is_synced: Whether to wait until it is on disk; without it, a crash of the machine may leave half of it.

    Raises:
        StoreUnwritable: If it cannot be written, with the system's reason; nothing is left behind.
    """
    with reported(path):
        make_folder(path.parent)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            _write(part, text.encode(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, is_synced=is_synced)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that one process writes, and make sure it is on disk.

    Raises:
        StoreUnwritable: If it cannot be written.
    """
    with reported(path):
        make_folder(path.parent)
        _write(path, (line + "\n").encode(), os.O_CREAT | os.O_APPEND | os.O_WRONLY)


def open_log(path: Path) -> IO[str]:
    """A file that grows line by line, for a process to write to.

    Raises:
        StoreUnwritable: If it cannot be opened.
    """
    with reported(path):
        make_folder(path.parent)
        return os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a", encoding="utf-8")


def _write(path: Path, content: bytes, flags: int, *, is_synced: bool = True) -> None:
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "wb") as stream:  # noqa: PTH123 - from a descriptor, which carries the mode
        stream.write(content)
        stream.flush()
        if is_synced:
            os.fsync(descriptor)


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Within it, a write that fails raises StoreUnwritable with the system's reason and what to do."""
    try:
        yield
    except OSError as error:
        where = "records go where --llmval-store says, reports where --llmval-out says"
        msg = f"cannot write {path}: {error.strerror or error}; {where}"
        raise StoreUnwritable(msg) from error
