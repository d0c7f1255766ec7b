"""A file of the repository that several processes rewrite: under a lock, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

_PATIENCE_S = 60


@contextmanager
def rewriting(path: Path, what: str) -> Iterator[None]:
    """Within it, nobody else rewrites a file of its folder, and what the system refuses is said.

    Raises:
        StoreUnwritable: If a write failed; `what` is what messages call the file.
    """
    try:
        with _lock(path):
            yield
    except OSError as error:
        msg = f"{what} {path} cannot be written: {error.strerror or error}; nothing was changed"
        raise StoreUnwritable(msg) from error


def replace_whole(path: Path, content: bytes) -> None:
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
    """Held while a file of a folder is rewritten; among temporary files, so that none is left beside the file."""
    from filelock import FileLock

    user = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"llmval-golden-{user}-{name}.lock", timeout=_PATIENCE_S)
