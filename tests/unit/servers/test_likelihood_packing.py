"""Plans of readings: every wanted position once, nothing too large, never dearer than plain rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.servers.engine.layout import lay_out, lay_out_batch
from pytest_llmval.servers.engine.plan import (
    Costs,
    Estimate,
    Readings,
    Row,
    agreement,
    cheapest_stretches,
    pack,
    plan_widths,
)

COSTS = Costs(pair=0.001, batch=4, rows=8, cells=200)

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=40).map(tuple)
stems = st.lists(tokens, min_size=1, max_size=3)
costs_of_models = st.builds(
    Costs,
    pair=st.sampled_from([0.0, 0.001, 0.1]),
    batch=st.sampled_from([0.0, 4.0, 100.0]),
    rows=st.integers(1, 9),
    cells=st.integers(1, 300),
    columns=st.sampled_from([50, math.inf]),
)


@st.composite
def readings(draw: st.DrawFn) -> Readings:
    """Readings that branch off a few stems, each wanted from some position on."""
    chosen = draw(stems)
    ends = draw(st.lists(st.tuples(st.sampled_from(chosen), tokens, st.integers(0, 80)), min_size=1, max_size=14))
    return Readings.of({stem + end: min(start, len(stem + end) - 1) for stem, end, start in ends})


def rows_of(packing: Any) -> list[tuple[int, Row]]:
    """All rows with the length of the prefix they follow."""
    return [(prefix, row) for prefix, batches in packing.batches for batch in batches for row in batch]


@given(found=readings(), costs=costs_of_models)
def test_every_reading_once(found: Readings, costs: Costs) -> None:
    """Each reading is in exactly one row, and no batch is larger than allowed unless it is one row."""
    packing = pack(found, costs)

    rows = rows_of(packing)
    assert sorted(at for _, row in rows for at in range(row.first, row.last)) == list(range(len(found.ids)))
    for prefix, batches in packing.batches:
        for batch in batches:
            width = prefix + max(row.columns for row in batch)
            assert len(batch) == 1 or (len(batch) <= costs.rows and len(batch) * width <= costs.cells)


@given(found=readings(), costs=costs_of_models)
def test_paths(found: Readings, costs: Costs) -> None:
    """Along its path each reading is as it stands alone: its tokens in their order, at their positions."""
    for prefix, row in rows_of(pack(found, costs)):
        layout = lay_out(found, row, prefix)
        assert len(layout.ids) == row.columns
        assert len({found.ids[at][:prefix] for at in range(row.first, row.last)}) == 1
        for at, path in zip(range(row.first, row.last), layout.paths, strict=True):
            assert tuple(layout.ids[column] for column in path) == found.ids[at][prefix:]
            assert [layout.positions[column] for column in path] == list(range(prefix, len(found.ids[at])))


@given(found=readings(), costs=costs_of_models)
def test_columns_see_their_own_past(found: Readings, costs: Costs) -> None:
    """A column sees the columns before it on its path and no other."""
    for prefix, row in rows_of(pack(found, costs)):
        layout = lay_out(found, row, prefix)
        seen = {
            column: {*branch.before, *range(branch.start, column + 1)}
            for branch in layout.branches
            for column in range(branch.start, branch.end)
        }
        for path in layout.paths:
            assert all(seen[column] == set(path[: place + 1]) for place, column in enumerate(path))


@given(found=readings(), costs=costs_of_models)
def test_wanted_logits(found: Readings, costs: Costs) -> None:
    """Each wanted position has its place among the logits that are kept, which are those of its own column."""
    for prefix, batches in pack(found, costs).batches:
        for batch in batches:
            sheet = lay_out_batch(found, batch, prefix)
            for at, places in sheet.places.items():
                rows = [divmod(place, len(sheet.kept)) for place in places]
                read = [
                    sheet.rows[row].ids[sheet.kept[kept] - (sheet.width - len(sheet.rows[row].ids))]
                    for row, kept in rows
                ]
                assert tuple(read) == found.ids[at][found.starts[at] :]


@given(found=readings(), costs=costs_of_models)
def test_rows_that_join_fit(found: Readings, costs: Costs) -> None:
    """Only rows within the window hold more than one reading, and prefixes end before the first wanted position."""
    for prefix, row in rows_of(pack(found, costs)):
        assert row.last - row.first == 1 or prefix + row.columns <= min(costs.columns, costs.cells)
        assert prefix <= min(found.starts[row.first : row.last])


@given(found=readings(), costs=costs_of_models)
def test_a_function_of_the_readings(found: Readings, costs: Costs) -> None:
    """The order in which readings come does not matter, and a repeat plans the same."""
    shuffled = Readings.of(dict(reversed(list(zip(found.ids, found.starts, strict=True)))))

    assert pack(shuffled, costs) == pack(found, costs)


@given(found=readings())
def test_never_dearer_than_plain_rows(found: Readings) -> None:
    """Where a pass costs nothing in itself, packing costs at most what one row a reading does."""
    costs = replace(COSTS, batch=0, rows=1)

    packed = pack(found, costs).estimate(costs)

    plain = Estimate.of_rows([len(ids) for ids in found.ids], costs)
    assert packed.cost <= plain.cost + 1e-9
    assert packed.tokens <= plain.tokens


def every_split(count: int) -> list[list[tuple[int, int]]]:
    """All ways to cut `count` items into consecutive stretches."""
    cuts = (cut for size in range(count) for cut in itertools.combinations(range(1, count), size))
    return [list(itertools.pairwise([0, *cut, count])) for cut in cuts]


@given(widths=st.lists(st.integers(1, 30), max_size=7), batch=st.integers(0, 20))
def test_cheapest_batches(widths: list[int], batch: int) -> None:
    """Of all ways to cut rows, widest first, into batches, the cheapest is found."""
    costs = Costs(pair=0.01, batch=batch, rows=3, cells=70)
    ordered = sorted(widths, reverse=True)

    found = plan_widths(widths, costs)

    assert [widths[at] for each in found for at in each] == ordered
    spent = sum(costs.of_batch(len(each), widths[each[0]]) for each in found)
    options = every_split(len(widths)) if widths else [[]]
    least = min(sum(costs.of_batch(end - at, ordered[at]) for at, end in cuts) for cuts in options)
    assert spent == pytest.approx(least)


def test_most_rows() -> None:
    """However dear a pass is, a batch has no more rows than allowed."""
    batches = plan_widths([5] * 10, Costs(pair=0, batch=1000, rows=3, cells=1000))

    assert sorted(map(len, batches)) == [1, 3, 3, 3]


def test_most_cells() -> None:
    """A batch holds no more padded columns than allowed, a cached prefix counted; a wider row is alone."""
    costs = Costs(pair=0, batch=1000, rows=8, cells=100)

    assert plan_widths([10, 300, 60, 40, 50], costs) == [[1], [2], [4, 3], [0]]
    assert plan_widths([10, 300, 60, 40, 50], costs, prefix=9) == [[1], [2], [4], [3, 0]]


def test_no_items() -> None:
    """Nothing is cut into nothing."""
    assert cheapest_stretches(0, lambda _first, _last: 1.0) == []
    assert pack(Readings.of({}), COSTS).batches == ()


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [((), (1,), 0), ((1, 2), (1, 2), 2), ((1, 2), (1, 2, 3), 2), ((1, 2, 3), (1, 9, 3), 1), ((4,), (5,), 0)],
)
def test_agreement(left: tuple[int, ...], right: tuple[int, ...], expected: int) -> None:
    """Items are counted until the first that differ."""
    assert agreement(left, right) == expected


def test_choices_of_one_context() -> None:
    """A context of 30 tokens and three choices of two become one row of 36 columns, each choice seeing its own.

    In plain rows they are 3 x 32 = 96 tokens.
    """
    context = tuple(range(30))
    found = Readings.of({(*context, 50 + choice, 60): 29 for choice in range(3)})

    packing = pack(found, COSTS)

    assert packing.batches == ((0, ((Row(0, 3, 36),),)),)
    assert packing.estimate(COSTS).tokens == 36
    assert lay_out(found, Row(0, 3, 36)).paths[2] == (*range(30), 34, 35)


def test_prefix_of_all() -> None:
    """Eight questions of 3 tokens after the same 100 read the 100 once and 8 x 3 after them."""
    found = Readings.of({(*range(100), 200 + at, 300, 400): 102 for at in range(8)})

    packing = pack(found, replace(COSTS, pair=0.01, cells=2000))

    assert [(prefix, [len(batch) for batch in batches]) for prefix, batches in packing.batches] == [(100, [8])]
    assert packing.estimate(COSTS).tokens == 124


def test_two_prefixes() -> None:
    """Two subjects with shots of their own are two groups: 2 x 80 tokens once, 10 after them for each question."""
    subjects = [(0, *[1000 + subject] * 79) for subject in range(2)]
    found = Readings.of({(*shots, 200 + at, *range(9)): 89 for shots in subjects for at in range(12)})

    packing = pack(found, replace(COSTS, pair=0.01, cells=2000))

    assert [prefix for prefix, _ in packing.batches] == [80, 80]
    assert packing.estimate(COSTS).tokens == 2 * 80 + 24 * 10


def test_nothing_in_common() -> None:
    """Readings that share BOS alone stay rows of their own."""
    found = Readings.of({(0, 10 + at, 20): 1 for at in range(4)})

    packing = pack(found, COSTS)

    assert [row.last - row.first for _, row in rows_of(packing)] == [1, 1, 1, 1]
