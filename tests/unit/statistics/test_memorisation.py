"""Exposure of a planted secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.safety.memorisation import exposure


def test_first_of_a_million():
    """T45: log₂ 10⁶ = 6·log₂ 10 = 19.931569."""
    assert exposure(1, 1_000_000) == pytest.approx(19.931569, abs=5e-7)


@given(st.integers(1, 10**12).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_exposure_is_0_at_the_last_rank_and_a_bit_more_at_half_of_it(pair):
    """Halving the rank is worth one bit."""
    rank, candidates = pair

    assert exposure(candidates, candidates) == 0
    assert exposure(rank, 2 * candidates) == pytest.approx(exposure(rank, candidates) + 1)


@pytest.mark.parametrize("rank", [0, 11])
def test_impossible_rank_is_refused(rank):
    """Ranks start at 1 and end with the number of candidates."""
    with pytest.raises(ValueError, match=rf"rank={rank}; expected a place from 1 to candidates=10"):
        exposure(rank, 10)
