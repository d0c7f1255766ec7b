"""Golden files on disk: read, and rewritten as a whole under a lock."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison, StoreError
from pytest_llmval.scoring.tensors.golden.container import read_note
from pytest_llmval.scoring.tensors.golden.document import entries_of, from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from filelock import BaseFileLock

    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden

_PATIENCE_S = 60


def read_goldens(path: Path) -> tuple[StoredGolden, ...]:
    """The goldens of a file, none when there is no file.

    Raises:
        InvalidComparison: If it cannot be read.
    """
    try:
        return from_bytes(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"the golden file {path} cannot be read: {reason}"
        raise InvalidComparison(msg) from error


def names_in(path: Path) -> frozenset[str]:
    """The names of a file's goldens, from its beginning only.

    Raises:
        InvalidComparison: If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return frozenset(str(entry["name"]) for entry in entries_of(read_note(stream)))
    except (OSError, ValueError, KeyError) as error:
        msg = f"the golden file {path} cannot be read: {error}"
        raise InvalidComparison(msg) from error


def add_goldens(path: Path, goldens: tuple[StoredGolden, ...]) -> None:
    """Put goldens into a file, in place of those of the same name and environment; the others stay.

    Raises:
        InvalidComparison: If there is a file that cannot be read: it may hold goldens that are not ours to drop.
        StoreError: If it cannot be written; the old file then stays as it was.
    """

    def merged(old: tuple[StoredGolden, ...]) -> tuple[StoredGolden, ...]:
        return tuple({each.key: each for each in (*old, *goldens)}.values())

    _rewrite(path, merged)


def remove_goldens(path: Path, names: Collection[str]) -> None:
    """Take goldens out of a file, of all environments; a file that holds no other is deleted.

    Raises:
        InvalidComparison: If it cannot be read.
        StoreError: If it cannot be written or deleted.
    """
    _rewrite(path, lambda old: tuple(each for each in old if each.name not in names))


def _rewrite(path: Path, change: Callable[[tuple[StoredGolden, ...]], tuple[StoredGolden, ...]]) -> None:
    with _reported(path), _lock(path):
        left = change(read_goldens(path))
        if left:
            _replace(path, to_bytes(left))
        else:
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, with the permissions of any new file: it is for the repository."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # hidden: cleaning up snapshots does not see it
    try:
        with part.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _lock(path: Path) -> BaseFileLock:
    """Held while a file of a folder is rewritten; among temporary files, so that none is left beside the goldens."""
    from filelock import FileLock

    user = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"llmval-golden-{user}-{name}.lock", timeout=_PATIENCE_S)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Within it, a write that fails raises StoreError with the system's reason."""
    try:
        yield
    except OSError as error:
        msg = f"the golden {path} cannot be written: {error.strerror or error}; nothing was changed"
        raise StoreError(msg) from error
