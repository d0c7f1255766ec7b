"""The log of a server: its end, and what was said since a start."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from pytest_llmval.errors import StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

TAIL_LINES, LINE_LENGTH = 15, 400
READ_BYTES = 65_536
"""How much of the end is read: servers write megabytes."""


def open_log(log: Path) -> IO[str]:
    """A file that grows line by line, readable by its owner only.

    Raises:
        StoreUnwritable: If it cannot be opened.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a", encoding="utf-8")
    except OSError as error:
        msg = f"{log}: cannot be written: {error.strerror or error}"
        raise StoreUnwritable(msg) from error


def size(log: Path) -> int:
    """Bytes in the log, 0 when there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def said_since(log: Path, offset: int) -> str:
    """What was written after so many bytes, or the end of it when that is much."""
    try:
        with log.open("rb") as file:
            file.seek(max(offset, file.seek(0, os.SEEK_END) - READ_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def tail(log: Path) -> str:
    """The last lines of a log, indented; empty when there are none."""
    lines = said_since(log, 0).splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + '…'}" for line in lines)
