"""Where the tokens of packed rows stand: column, position, and which columns each sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.servers.engine.plan import widest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.plan import Readings, Row


@dataclass(frozen=True, slots=True)
class Branch:
    """Columns `start` to `end - 1`, each of which sees those of them up to itself and all of `before`."""

    start: int
    end: int
    before: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A row whose readings are a tree; a cached prefix, if any, comes before its first column."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    """Place of each token in its reading, the prefix counted."""
    branches: tuple[Branch, ...]
    paths: tuple[tuple[int, ...], ...]
    """Columns of each reading's tokens after the prefix, in order."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one forward pass, padded in front so that their ends, where logits are wanted, are in line."""

    prefix: int
    """Tokens in the cache before the first column."""
    width: int
    rows: tuple[Layout, ...]
    kept: tuple[int, ...]
    """Columns that get logits."""
    places: dict[int, tuple[int, ...]]
    """For each reading the places of its wanted logits among those of all rows, `[rows x kept]`."""


def lay_out(readings: Readings, row: Row, prefix: int = 0) -> Layout:
    """The row's tokens: of each reading what it does not share with the one before."""
    ids: list[int] = []
    positions: list[int] = []
    branches: list[Branch] = []
    paths: list[tuple[int, ...]] = []
    for at in range(row.first, row.last):
        shared = readings.shared[at] if paths else prefix
        before = paths[-1][: shared - prefix] if paths else ()
        own = readings.ids[at][shared:]
        branches.append(Branch(len(ids), len(ids) + len(own), before))
        paths.append((*before, *range(len(ids), len(ids) + len(own))))
        positions += range(shared, len(readings.ids[at]))
        ids += own
    return Layout(tuple(ids), tuple(positions), tuple(branches), tuple(paths))


def lay_out_batch(readings: Readings, batch: Sequence[Row], prefix: int = 0) -> Sheet:
    """The rows of a batch, all of which begin with the prefix."""
    rows, width = tuple(lay_out(readings, row, prefix) for row in batch), widest(batch)
    # Columns of each reading, in the padded row, whose logits are wanted.
    wanted = {
        (number, at): [column + width - row.columns for column in path[readings.starts[at] - prefix :]]
        for number, (row, layout) in enumerate(zip(batch, rows, strict=True))
        for at, path in zip(range(row.first, row.last), layout.paths, strict=True)
    }
    kept = sorted({column for columns in wanted.values() for column in columns})
    order = {column: at for at, column in enumerate(kept)}
    places = {
        at: tuple(number * len(kept) + order[column] for column in columns) for (number, at), columns in wanted.items()
    }
    return Sheet(prefix, width, rows, tuple(kept), places)
