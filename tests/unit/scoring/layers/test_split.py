"""The split of a stage's error is exact, and sums may be added in pieces."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.scoring.tensors.layers.judging import LayerLimits, is_amplifier, split_of
from pytest_llmval.scoring.tensors.layers.signature import signature_of
from pytest_llmval.scoring.tensors.layers.sums import ErrorSums, KlSums, SplitSums, States

seeds = st.integers(0, 10_000)
laws = settings(deadline=None, max_examples=40, derandomize=True)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@laws
@given(seeds, st.floats(0, 10), st.floats(0, 10), st.floats(-1, 1))
def test_the_split_is_exact(seed, local, inherited, cosine):
    """free² = local² + inherited² + 2 · alignment · local · inherited, however the two lie to each other."""
    exact, made, other, before = (noise(seed + at, 5, 7) for at in range(4))
    forced = exact + local * made
    free = forced + inherited * (cosine * made + (1 - abs(cosine)) * other)
    sums = SplitSums()

    sums.add(States(before, exact, before + 0.1 * other, free, forced, exact))
    split = split_of(sums)

    parts = split.local**2 + split.inherited**2 + 2 * split.alignment * split.local * split.inherited
    assert split.free**2 == pytest.approx(parts, rel=1e-9, abs=1e-12)
    assert -1 - 1e-9 <= split.alignment <= 1 + 1e-9


def test_errors_that_cancel_have_an_alignment_of_minus_one():
    """The stage undoes what came in, by chance or because another stage was tuned to it."""
    exact, made = noise(0, 5, 7), noise(1, 5, 7)
    sums = SplitSums()

    sums.add(States(exact, exact, exact - made, exact, exact + made, exact))
    split = split_of(sums)

    assert split.free == 0
    assert split.local == split.inherited > 0
    assert split.alignment == pytest.approx(-1)


def test_growth_is_relative_to_the_state():
    """An error of 1 % that leaves as 4 % has grown four times, whatever the sizes."""
    before, exact = noise(0, 50, 60), 100 * noise(1, 50, 60)
    sums = SplitSums()

    free = exact + 4e-2 * 100 * noise(2, 50, 60)
    sums.add(States(before, exact, before + 1e-2 * noise(3, 50, 60), free, exact, exact))

    assert sums.amplification == pytest.approx(4, rel=0.1)
    assert is_amplifier(sums, LayerLimits())


def test_an_error_no_larger_than_the_controls_makes_no_amplifier():
    """Rounding grows by the same way."""
    before, exact, error = noise(0, 5, 6), noise(1, 5, 6), noise(2, 5, 6)
    sums = SplitSums()

    sums.add(States(before, exact, before + 1e-3 * error, exact + 1e-2 * error, exact, exact + 1e-2 * error))

    assert sums.amplification > 2
    assert not is_amplifier(sums, LayerLimits())


@laws
@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_sums_added_in_pieces_are_the_sums_added_whole(seed, lengths):
    """Logits come a few positions at a time."""
    exact, mine, other = (noise(seed + at, sum(lengths), 6) for at in range(3))
    whole, pieces = ErrorSums(1e-3), ErrorSums(1e-3)

    whole.add(0, exact, mine, other, exact)
    for parts in zip(*(each.split(lengths) for each in (exact, mine, other)), strict=True):
        pieces.add(0, *parts, parts[0])

    for name in ("update", "truth", "along", "control_along", "elements", "error", "control"):
        assert getattr(pieces, name) == pytest.approx(getattr(whole, name), rel=1e-12), name
    one, other = signature_of(whole), signature_of(pieces)
    assert other.token.place == one.token.place
    assert other.channel.height == pytest.approx(one.channel.height)


def test_divergences_added_in_pieces_are_the_divergences_added_whole():
    """A mean over positions does not know in how many pieces they came."""
    exact, mine, other = (noise(at, 6, 10) for at in range(3))
    whole, pieces = KlSums(), KlSums()

    whole.add(exact, mine, other)
    for parts in zip(*(each.split(4) for each in (exact, mine, other)), strict=True):
        pieces.add(*parts)

    assert pieces.candidate == pytest.approx(whole.candidate)
    assert pieces.control == pytest.approx(whole.control)
    assert pieces.positions == whole.positions == 6
