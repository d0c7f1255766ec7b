"""Maximum mean discrepancy of two samples of vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.distributions.kernel_distance import mmd_squared

points = st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=2), min_size=2, max_size=6)


def pair_by_pair(first, second, gamma):
    """The definition: mean over pairs within each sample, less twice the mean between."""

    def kernel(x, y):
        return math.exp(-gamma * sum((a - b) ** 2 for a, b in zip(x, y, strict=True)))

    def within(sample):
        values = [kernel(x, y) for i, x in enumerate(sample) for j, y in enumerate(sample) if i != j]
        return sum(values) / len(values)

    between = [kernel(x, y) for x in first for y in second]
    return within(first) + within(second) - 2 * sum(between) / len(between)


def test_two_shifted_triples():
    """T50: {0, 1, 2} and {1, 2, 3} with γ = 0.5.

    By hand, with a = e⁻⁰·⁵, b = e⁻², c = e⁻⁴·⁵: twice (2a + b)/3 within − 2·(2 + 4a + 2b + c)/9 between.
    """
    first, second = [[0.0], [1.0], [2.0]], [[1.0], [2.0], [3.0]]

    assert mmd_squared(first, second, gamma=0.5) == pytest.approx(-0.1472694, abs=5e-8)


@given(points, points, st.floats(0.01, 5))
def test_discrepancy_is_its_definition_and_symmetric(first, second, gamma):
    """All pairs one by one, in either order of the samples."""
    found = mmd_squared(first, second, gamma=gamma)

    assert found == pytest.approx(pair_by_pair(first, second, gamma), abs=1e-9)
    assert mmd_squared(second, first, gamma=gamma) == pytest.approx(found, abs=1e-9)


def test_width_of_the_kernel_is_the_median_distance():
    """Distances 1, 2, 3, 1, 2, 1 of the points 0 to 3: the median is 1.5, of the squares 2.5, so γ is 1/5."""
    first, second = [[0.0], [1.0]], [[2.0], [3.0]]

    assert mmd_squared(first, second) == pytest.approx(mmd_squared(first, second, gamma=1 / (2 * 2.5)))


def test_equal_distributions_average_to_zero_and_others_do_not():
    """300 pairs of samples of 20, seed 4: unbiased, so the mean is 0 within four standard errors."""
    random = np.random.default_rng(4)
    same = [mmd_squared(random.normal(size=(20, 3)), random.normal(size=(20, 3)), gamma=0.5) for _ in range(300)]
    moved = mmd_squared(random.normal(size=(20, 3)), random.normal(size=(20, 3)) + 2, gamma=0.5)

    assert abs(np.mean(same)) < 4 * np.std(same) / math.sqrt(300)
    assert moved > max(same)


def test_distance_from_the_origin_does_not_blur():
    """The same vectors a million away are as far apart."""
    near, far = np.array([[0.0], [1.0], [2.0]]), np.array([[1e8], [1e8 + 1], [1e8 + 2]])

    assert mmd_squared(far, far + 1, gamma=0.5) == pytest.approx(mmd_squared(near, near + 1, gamma=0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "gamma", "message"),
    [
        ([[1.0]], [[1.0], [2.0]], 1.0, r"shapes \(1, 1\) and \(2, 1\); expected \[cases, features\], each of 2 cases"),
        ([[1.0], [2.0]], [[1.0, 2.0]] * 2, 1.0, r"shapes \(2, 1\) and \(2, 2\)"),
        ([1.0, 2.0], [1.0, 2.0], 1.0, r"shapes \(2,\) and \(2,\)"),
        ([[1.0], [2.0]], [[1.0], [2.0]], -1.0, "gamma=-1.0; expected a number above 0"),
        ([[1.0]] * 3, [[1.0], [1.0]], None, "gamma=0.0; expected .* one given where half of the vectors are equal"),
    ],
)
def test_impossible_samples_are_refused(first, second, gamma, message):
    """Each message says what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        mmd_squared(first, second, gamma=gamma)
