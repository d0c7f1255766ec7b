"""Levels of a family of gates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.verdicts.family import adjusted_alpha, gate_alpha, series_weight


def test_the_level_is_shared_equally_between_items():
    """Bonferroni: 0.05 over five items."""
    assert adjusted_alpha(0.05, 5) == pytest.approx(0.01)


def test_the_weights_of_an_item_sum_to_one():
    """Σ 6/(π²k²) = 1; what is left after k gates is below 6/(π²k)."""
    total = sum(series_weight(position) for position in range(1, 10_001))

    assert 1 - 6.08e-5 < total < 1


def test_the_first_gate_keeps_more_than_half():
    """6/π² = .6079; halving would leave .5, and the eighth gate .0039 instead of .0095."""
    assert series_weight(1) == pytest.approx(0.6079, abs=5e-5)
    assert series_weight(8) == pytest.approx(0.0095, abs=5e-5)


@given(st.integers(1, 50), st.lists(st.integers(1, 20), min_size=1, max_size=50))
def test_all_gates_of_a_run_together_stay_below_the_level(spare, gates_of_items):
    """However many gates each item turns out to have."""
    items = len(gates_of_items) + spare

    spent = sum(gate_alpha(0.05, items, k) for gates in gates_of_items for k in range(1, gates + 1))

    assert 0 < spent < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjusted_alpha(0.05, 0), r"alpha=0.05, gates=0; expected a level between 0 and 1 and at least 1 gate"),
        (lambda: adjusted_alpha(5, 1), r"alpha=5, gates=1; expected a level between 0 and 1"),
        (lambda: series_weight(0), r"position=0; expected 1 for the first gate of an item"),
    ],
)
def test_impossible_families_are_refused(call, message):
    """Every message names what was given."""
    with pytest.raises(ValueError, match=message):
        call()
