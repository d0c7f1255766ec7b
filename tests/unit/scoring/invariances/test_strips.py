"""The parts: vectors compared by position, ids replaced, columns cut into steps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.invariances.batch import padded, replacements
from pytest_llmval.scoring.tensors.invariances.cached import steps
from pytest_llmval.scoring.tensors.invariances.strips import Strip, variant_of

ROWS = st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=12), min_size=1, max_size=4)


def variant(actual, expected, limit=None, where=""):
    """One strip of two arrays `[positions, width]`."""
    return variant_of("changed", [Strip(0, 0, values_of(actual), values_of(expected), where)], limit)


def test_a_constant_on_all_logits_is_no_error_but_other_bits():
    """No probability sees it; of keys and values it is an error."""
    logits = torch.arange(12.0).reshape(3, 4)

    assert variant(logits + 1, logits, 1e-6).deviation == 0
    assert variant(logits + 1, logits).differing == 3
    assert variant(logits + 1, logits, 1e-6, "layer 0 keys").failing == 3


def test_the_error_of_a_position_by_hand():
    """(0, 3) − (0, 4) centred is (½, −½), and the centred norm of (0, 4) is √8: √½ / √8 = ¼."""
    found = variant(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 4.0]]), 0.3)

    assert found.deviation == pytest.approx(0.25)
    assert found.passed
    assert (found.worst.element, found.worst.expected, found.worst.actual) == (1, 4.0, 3.0)
    assert found.worst.ulps == 2**22  # 2 to 4 are 2²³ numbers, of which 3 is half way
    assert not variant(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 4.0]]), 0.2).passed


def test_a_short_vector_is_judged_on_the_scale_of_its_row():
    """Of keys and values a position may be near zero by chance."""
    expected = torch.tensor([[1.0, 0.0], [1e-9, 0.0]])
    actual = torch.tensor([[1.0, 0.0], [2e-9, 0.0]])

    assert variant(actual, expected, 1e-6, "layer 0 keys").passed
    assert variant(actual, expected, None, "layer 0 keys").failing == 1


def test_masked_logits_of_any_size_hide_no_error():
    """−1e9 in place of −inf would make every relative error vanish."""
    expected = torch.tensor([[1.0, 2.0, 3.0, -1e9]])
    actual = torch.tensor([[1.0, 2.0, 3.1, -1e9]])

    assert variant(actual, expected).deviation == pytest.approx(
        variant(actual[:, :3], expected[:, :3]).deviation, rel=1e-6
    )
    assert variant(actual, expected).deviation > 0.05
    assert variant(torch.tensor([[1.0, 2.0, 3.0, 0.0]]), expected).deviation > 0.5


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_what_is_finite_on_one_side_only_fails_at_any_limit(strange):
    """Infinite on both sides is equal, NaN never."""
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    actual = expected.clone()
    actual[1, 0] = strange

    assert variant(actual, expected, 1e9).failing == 1
    assert variant(actual, expected, 1e9).first.position == 1
    assert variant(actual, actual, 1e9).failing == int(math.isnan(strange))


def test_signs_of_zero_and_single_bits_count():
    """Bit by bit is bit by bit, in bfloat16 as well."""
    zeros = torch.zeros(1, 2)
    ones = torch.ones(1, 2, dtype=torch.bfloat16)

    assert variant(-zeros, zeros).failing == 1
    assert variant(ones * (1 + 2**-7), ones).first.ulps == 1
    assert variant(ones, ones).passed


def test_nothing_compared_is_no_pass():
    """A variant without positions."""
    assert not variant_of("changed", [], None).passed


@given(st.integers(0, 1000), st.floats(1e-8, 1), st.floats(0, 1))
def test_widening_the_limit_never_turns_a_pass_into_a_failure(seed, limit, more):
    """Whatever the difference."""
    generator = np.random.default_rng(seed)
    expected = generator.normal(size=(3, 5))
    actual = expected + 10.0 ** generator.uniform(-9, 0) * generator.normal(size=(3, 5))

    assert variant(actual, expected, limit + more).passed or not variant(actual, expected, limit).passed


@given(ROWS, st.sampled_from(["left", "right"]), st.integers(0, 9))
def test_padding_keeps_the_tokens_and_their_positions(rows, side, amount):
    """What the mask shows is the prompt, numbered from 0."""
    batch = padded(rows, side, amount)

    for row, ids, flags, positions in zip(rows, batch.ids, batch.visible, batch.positions, strict=True):
        assert ids[flags].tolist() == row
        assert positions[flags].tolist() == list(range(len(row)))
    assert batch.ids.shape == (len(rows), max(map(len, rows)) + amount)
    assert batch.last_tokens().sum(axis=1).tolist() == [1] * len(rows)
    assert batch.ids[batch.last_tokens()].tolist() == [row[-1] for row in rows]


@given(ROWS, st.integers(0, 100))
def test_replaced_ids_are_others_and_ordinary(rows, seed):
    """Never the same, never special, and nothing else changes."""
    batch = padded(rows, "left", 2)
    special = frozenset({3, 49})

    after = replacements(50, special, seed).into(batch.ids, batch.visible)

    assert (after != batch.ids)[batch.visible].all()
    assert (after == batch.ids)[~batch.visible].all()
    assert not set(after[batch.visible].tolist()) & special


@given(ROWS, st.sampled_from(["left", "right"]), st.integers(0, 9), st.lists(st.integers(1, 8), min_size=1, max_size=3))
def test_steps_read_every_column_once(rows, side, amount, schedule):
    """In order; padding that all rows have goes with the first and the last step."""
    batch = padded(rows, side, amount)

    found = list(steps(batch, tuple(schedule)))

    assert [start for start, _ in found] == [0, *[stop for _, stop in found[:-1]]]
    assert found[-1][1] == batch.ids.shape[1]
    tokens = [int(batch.visible.any(axis=0)[start:stop].sum()) for start, stop in found]
    assert tokens[:-1] == list(itertools.islice(itertools.cycle(schedule), len(found) - 1))
    assert 0 < tokens[-1] <= max(schedule)
    assert list(steps(batch, None)) == [(0, batch.ids.shape[1])]
