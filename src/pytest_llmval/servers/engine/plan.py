"""Which tokens are read once for many: token ids sorted, their common starts in one row or in a cache."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Ids = tuple[int, ...]

SHORTEST_JOIN = 2
"""Common tokens below which two readings are never put in one row; BOS alone is one."""
SHORTEST_SHARED_PREFIX = 16
"""Tokens below which sharing costs a forward pass more than it saves."""
DEEPEST = 8
"""Prefixes within prefixes that are looked for."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What forward passes of a model cost, in units of one token without attention, and how large they may be."""

    pair: float
    """One query and one key, through all layers."""
    batch: float
    """A forward pass beyond its tokens."""
    rows: int
    """Most rows in a batch."""
    cells: int
    """Most columns in a batch, rows x width with the cached prefix; a row alone may have more."""
    columns: float = math.inf
    """Most columns of a row that joins readings, its cached prefix included."""

    def of_row(self, columns: int, prefix: int = 0) -> float:
        """Of a row of so many columns after a cached prefix."""
        return columns * (1 + self.pair * (prefix + columns))

    def of_batch(self, rows: int, columns: int, prefix: int = 0) -> float:
        """Of one forward pass; infinite when it is too large."""
        if rows > 1 and (rows > self.rows or rows * (prefix + columns) > self.cells):
            return math.inf
        return self.batch + rows * self.of_row(columns, prefix)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is read in some way."""

    tokens: int
    """Padding included."""
    cost: float
    """As `Costs` counts."""

    def __add__(self, other: Estimate) -> Estimate:
        """Both together."""
        return Estimate(self.tokens + other.tokens, self.cost + other.cost)

    @classmethod
    def of_rows(cls, widths: Sequence[int], costs: Costs, prefix: int = 0) -> Estimate:
        """Of rows of these widths in the batches of `plan_widths`."""
        batches = [(len(batch), widths[batch[0]]) for batch in plan_widths(widths, costs, prefix)]
        return cls(
            sum(rows * width for rows, width in batches),
            sum(costs.of_batch(rows, width, prefix) for rows, width in batches),
        )


@dataclass(frozen=True, slots=True)
class Readings:
    """Distinct rows of token ids, sorted, so that those with a common start stand side by side."""

    ids: tuple[Ids, ...]
    shared: tuple[int, ...]
    """Leading tokens each has in common with the one before; 0 for the first."""
    starts: tuple[int, ...]
    """First position of each whose logits are wanted."""
    ends: tuple[int, ...]
    """Tokens of the first, of the first two, … when each adds only what it does not share with the one before."""

    @classmethod
    def of(cls, starts: Mapping[Ids, int]) -> Readings:
        """The readings of token ids and the first position of each whose logits are wanted."""
        ids = tuple(sorted(starts))
        shared = (0, *map(agreement, ids, ids[1:]))[: len(ids)]
        added = (len(row) - common for row, common in zip(ids, shared, strict=True))
        return cls(ids, shared, tuple(starts[row] for row in ids), tuple(accumulate(added)))

    def columns(self, first: int, last: int) -> int:
        """Tokens of readings `first` to `last - 1` in one row."""
        return len(self.ids[first]) + self.ends[last - 1] - self.ends[first]


@dataclass(frozen=True, slots=True)
class Row:
    """Readings `first` to `last - 1` side by side: each adds what it does not share with the one before."""

    first: int
    last: int
    columns: int
    """Tokens of the row, those of a cached prefix not counted."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that begin with one prefix, which is read once before them; none when it has length 0."""

    prefix: int
    rows: tuple[Row, ...]
    cost: float


@dataclass(frozen=True, slots=True)
class Packing:
    """Batches of rows, by the prefix they follow."""

    readings: Readings
    batches: tuple[tuple[int, tuple[tuple[Row, ...], ...]], ...]
    """Length of each prefix and the batches of rows after it, which begin with it; (0, …) for rows without."""

    def estimate(self, costs: Costs) -> Estimate:
        """What all its forward passes read."""
        prefixes = [Estimate(prefix, costs.of_batch(1, prefix)) for prefix, _ in self.batches if prefix]
        batches = [_estimate(batch, costs, prefix) for prefix, batches in self.batches for batch in batches]
        return sum([*prefixes, *batches], Estimate(0, 0.0))


def _estimate(batch: Sequence[Row], costs: Costs, prefix: int) -> Estimate:
    rows, width = len(batch), widest(batch)
    return Estimate(rows * width, costs.of_batch(rows, width, prefix))


def widest(batch: Sequence[Row]) -> int:
    """Columns of the widest row, to which the others are padded."""
    return max(row.columns for row in batch)


def agreement(left: Sequence[int], right: Sequence[int]) -> int:
    """Number of leading items that are equal."""
    most = min(len(left), len(right))
    return bisect_left(range(most), True, key=lambda at: left[: at + 1] != right[: at + 1])  # noqa: FBT003 - the key sought


def pack(readings: Readings, costs: Costs) -> Packing:
    """The cheapest packing that was found: rows join readings, groups share a prefix, batches hold similar rows.

    A function of its arguments alone, so that a repeat computes the same numbers.
    """
    groups = _share(readings, 0, len(readings.ids), costs, DEEPEST) if readings.ids else []
    loose = tuple(row for group in groups if not group.prefix for row in group.rows)
    grouped = [(group.prefix, batch_rows(group.rows, costs, group.prefix)) for group in groups if group.prefix]
    return Packing(readings, (*grouped, (0, batch_rows(loose, costs))) if loose else tuple(grouped))


def batch_rows(rows: Sequence[Row], costs: Costs, prefix: int = 0) -> tuple[tuple[Row, ...], ...]:
    """Rows in batches, the widest first."""
    batches = plan_widths([row.columns for row in rows], costs, prefix)
    return tuple(tuple(rows[at] for at in batch) for batch in batches)


def plan_widths(widths: Sequence[int], costs: Costs, prefix: int = 0) -> list[list[int]]:
    """Indices of rows of these widths, the widest first, in the batches that cost least, padding and all."""
    order = sorted(range(len(widths)), key=lambda at: (-widths[at], at))
    stretches = cheapest_stretches(
        len(order), lambda first, last: costs.of_batch(last - first, widths[order[first]], prefix)
    )
    return [order[first:last] for first, last in stretches]


def cheapest_stretches(count: int, cost: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Consecutive stretches (first, last + 1) of `count` items whose costs have the smallest sum.

    Args:
        count: Number of items.
        cost: Finite for one item; once infinite, infinite for all longer stretches with the same end.
    """
    best, begins = [0.0], [0]
    for last in range(1, count + 1):
        least, begin = math.inf, last - 1
        for first in range(last - 1, -1, -1):
            here = cost(first, last)
            if here == math.inf:
                break
            if best[first] + here < least:
                least, begin = best[first] + here, first
        best.append(least)
        begins.append(begin)
    return _follow(begins)


def _follow(begins: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches that lead to the end, in order."""
    stretches, last = [], len(begins) - 1
    while last:
        stretches.append((begins[last], last))
        last = begins[last]
    return stretches[::-1]


def _share(readings: Readings, first: int, last: int, costs: Costs, depth: int) -> list[Group]:
    """Groups of readings `first` to `last - 1`: without a prefix, after their common one, or apart where it ends."""
    alone = _group(readings, first, last, costs, 0)
    if last - first == 1 or not depth:
        return [alone]
    low = min(readings.shared[first + 1 : last])
    prefix = min(low, *readings.starts[first:last])
    options = [[alone], _apart(readings, first, last, costs, depth)]
    if prefix >= SHORTEST_SHARED_PREFIX:
        options.append([_group(readings, first, last, costs, prefix)])
    return min(options, key=lambda groups: sum(group.cost for group in groups))


def _apart(readings: Readings, first: int, last: int, costs: Costs, depth: int) -> list[Group]:
    """Groups of the stretches that have more in common than all together."""
    shared = readings.shared
    low = min(shared[first + 1 : last])
    bounds = [first, *(at for at in range(first + 1, last) if shared[at] == low), last]
    return [group for begin, end in pairwise(bounds) for group in _share(readings, begin, end, costs, depth - 1)]


def _group(readings: Readings, first: int, last: int, costs: Costs, prefix: int) -> Group:
    """Readings joined to rows after a prefix, as is cheapest."""

    def cost(begin: int, end: int) -> float:
        columns = readings.columns(first + begin, first + end) - prefix
        if end - begin == 1:
            return costs.of_row(columns, prefix)
        joined = readings.shared[first + begin + 1] - prefix
        fits = prefix + columns <= min(costs.columns, costs.cells)
        return costs.of_row(columns, prefix) if fits and joined >= SHORTEST_JOIN else math.inf

    cuts = [(first + begin, first + end) for begin, end in cheapest_stretches(last - first, cost)]
    rows = tuple(Row(begin, end, readings.columns(begin, end) - prefix) for begin, end in cuts)
    ahead = costs.of_batch(1, prefix) if prefix else 0.0
    return Group(prefix, rows, ahead + sum(costs.of_row(row.columns, prefix) for row in rows))
