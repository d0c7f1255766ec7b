"""Golden files on disk: read, and rewritten as a whole under a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.records.shared_file import replace_whole, rewriting
from pytest_llmval.scoring.tensors.golden.container import read_note
from pytest_llmval.scoring.tensors.golden.document import entries_of, from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden


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
        StoreUnwritable: If it cannot be written; the old file then stays as it was.
    """

    def merged(old: tuple[StoredGolden, ...]) -> tuple[StoredGolden, ...]:
        return tuple({each.key: each for each in (*old, *goldens)}.values())

    _rewrite(path, merged)


def remove_goldens(path: Path, names: Collection[str]) -> None:
    """Take goldens out of a file, of all environments; a file that holds no other is deleted.

    Raises:
        InvalidComparison: If it cannot be read.
        StoreUnwritable: If it cannot be written or deleted.
    """
    _rewrite(path, lambda old: tuple(each for each in old if each.name not in names))


def _rewrite(path: Path, change: Callable[[tuple[StoredGolden, ...]], tuple[StoredGolden, ...]]) -> None:
    with rewriting(path, "the golden"):
        left = change(read_goldens(path))
        if left:
            replace_whole(path, to_bytes(left))
        else:
            path.unlink(missing_ok=True)
