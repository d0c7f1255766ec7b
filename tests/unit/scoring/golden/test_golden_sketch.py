"""The sketch: its stream is a published one, its estimate has the error it claims, and order matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.tensors.golden.sketch import (
    axis_energies,
    digest,
    energy_groups,
    probe_positions,
    projections,
    slice_positions,
)
from pytest_llmval.scoring.tensors.golden.sketched import length_of
from pytest_llmval.scoring.tensors.golden.tiers import stored_tensor


def _signs(size):
    """The sign of every element in every projection, `[size, 64]`: unit vectors tell them."""
    return np.stack([projections(row) for row in np.eye(size)])


def test_the_generator_is_philox_as_published():
    """Known answer of Random123 1.14 (kat_vectors, philox 4x64 10): counter 0 and key 0."""
    generator = np.random.Philox(key=0, counter=2**256 - 1)  # NumPy counts up before it draws

    words = generator.random_raw(4)

    assert [f"{int(word):016x}" for word in words] == [
        "16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b",
    ]  # fmt: skip


def test_the_signs_are_pinned():
    """Goldens in repositories depend on them: these are the first words of the stream of key 0x6c6c6d76616c0001."""
    signs = _signs(3) < 0

    words = [int("".join(str(int(bit)) for bit in row[::-1]), 2) for row in signs]

    assert words == [int(word) for word in np.random.Philox(key=0x6C6C6D76616C0001).random_raw(3)]
    assert f"{words[0]:016x}" == "0fa784505afbb1fb"


def test_projections_do_not_depend_on_the_chunks():
    """A tensor longer than a chunk has those of its two halves together, the second half behind as many zeros."""
    values = np.random.default_rng(0).normal(size=100_000)
    first, second = values.copy(), values.copy()
    first[70_000:], second[:70_000] = 0, 0

    np.testing.assert_allclose(projections(values), projections(first) + projections(second), atol=1e-9)


def test_signs_are_balanced_and_independent():
    """Over 4096 elements every projection has mean near 0, and no two are alike: 5 standard deviations."""
    signs = _signs(4096)
    correlations = signs.T @ signs / 4096

    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.abs(signs.mean(axis=0)).max() < 5 / 64
    assert np.abs(correlations - np.eye(64)).max() < 5 / 64


@pytest.mark.parametrize("kind", ["dense", "one row", "two elements", "heavy tail"])
def test_the_estimate_has_the_error_that_it_claims(kind):
    """Relative s.d. of ‖Δ‖² at most √(2/64) = 18 %, mean right, and the 99 % bounds hold for 98 % of 600 tensors."""
    generator = np.random.default_rng(7)
    found = []
    for _ in range(600):
        delta = generator.standard_t(2, size=512) if kind == "heavy tail" else generator.normal(size=512)
        keep = {"one row": 32, "two elements": 2}.get(kind, 512)
        delta[generator.permutation(512)[: 512 - keep]] = 0
        length = length_of(projections(delta), np.zeros(64))
        true = float(np.linalg.norm(delta))
        found.append(((length.estimate / true) ** 2, length.low <= true, true <= length.high))
    squares, above, below = (np.array(each) for each in zip(*found, strict=True))

    assert abs(squares.mean() - 1) < 4 * 0.18 / math.sqrt(600)
    assert squares.std() < 0.18 * 1.1
    assert above.mean() > 0.98
    assert below.mean() > 0.98


def test_an_error_in_one_element_is_measured_exactly():
    """Every projection then is ±Δ."""
    delta = np.zeros(1000)
    delta[123] = -0.75

    assert length_of(projections(delta), np.zeros(64)).estimate == pytest.approx(0.75)


@given(seed=st.integers(0, 200), size=st.integers(3, 300), axis=st.sampled_from([0, 1]))
def test_a_permuted_tensor_is_another_one(seed, size, axis, golden_of, compared):
    """Moments, norm and digest of sorted values are those of the original; the projections are not."""
    values = np.random.default_rng(seed).normal(size=(size, 4))
    turned = np.roll(values, 1, axis)

    for tier in ("fingerprint", "slices"):
        assert not compared(turned, golden_of(values, tier)).passed
        assert compared(values, golden_of(values, tier)).passed


@given(size=st.integers(1, 5000))
def test_probes_lie_within_the_tensor(size):
    """All of a small tensor, at most 32 of a large one, without repetition."""
    places = probe_positions(size)

    assert len(set(places.tolist())) == len(places) <= 32
    assert 0 <= places.min() <= places.max() < size
    assert len(places) == size or size > 32


def test_slices_hold_ends_outliers_and_every_stretch():
    """A wrong value in the first or last element, the largest, or the loudest channel is looked at by itself."""
    values = np.random.default_rng(1).normal(size=(100, 200))
    values[:, 17] *= 50
    values[40, 60] = 1e6

    places = slice_positions(values)

    assert {0, values.size - 1, 40 * 200 + 60} <= set(places.tolist())
    assert sum(place % 200 == 17 for place in places) >= 16
    stretches = [values.size * number // 512 for number in range(513)]
    assert all(np.histogram(places, bins=stretches)[0] >= 1)
    assert len(places) < 1000


@given(shape=st.sampled_from([(), (5,), (3, 4), (2, 3, 700), (600, 2)]))
def test_energies_add_up_along_each_axis(shape):
    """Each axis holds the whole energy, in at most 256 sums."""
    values = np.random.default_rng(0).normal(size=shape)

    energies, groups = axis_energies(values), list(energy_groups(shape))

    assert not shape or len(energies) == len(groups) <= 256 * len(shape)
    for axis in range(len(shape)):
        mine = [(energy, group) for energy, group in zip(energies, groups, strict=True) if group[0] == axis]
        assert sum(energy for energy, _ in mine) == pytest.approx(float((values**2).sum()))
        assert sum(group[2] for _, group in mine) == values.size
        assert [place for _, group in mine for place in group[1]] == list(range(shape[axis]))


def test_the_digest_is_of_values():
    """−0 is 0, a list of Python is an array of the same numbers, a truth value is a number; order counts."""
    assert digest(np.array([0.0, 1.0])) == digest(np.array([-0.0, 1.0]))
    assert digest(np.array([True])) == digest(np.array([1], dtype=np.int8))
    assert digest(np.array([0.0, 1.0])) != digest(np.array([1.0, 0.0]))


def test_a_fingerprint_stays_small():
    """A million numbers of a vocabulary of 128 256 take under 8 KiB, and slices under 20."""
    logits = np.random.default_rng(0).normal(size=(8, 128_256)).astype(np.float32)

    sizes = [
        sum(part.bits.nbytes for part in stored_tensor("", logits, tier).parts.values())
        for tier in ("fingerprint", "slices")
    ]

    assert sizes[0] < 8 * 1024
    assert sizes[1] < 20 * 1024
