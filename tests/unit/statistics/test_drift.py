"""Shares that moved: the stability index beside chance, and the Jensen-Shannon divergence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from pytest_llmval.statistics.distributions.drift import jensen_shannon, population_stability

cells = st.integers(2, 8).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 50), min_size=n, max_size=n).filter(any)] * 2)
)
QUARTERS, MOVED = [25, 25, 25, 25], [40, 30, 20, 10]


def test_index_reproduces_the_example():
    """T49, by hand: 0.15·ln 1.6 + 0.05·ln 1.2 − 0.05·ln 0.8 − 0.15·ln 0.4 = 0.2282."""
    assert population_stability(MOVED, QUARTERS).index == pytest.approx(0.2282174, abs=5e-8)


def test_divergence_reproduces_the_examples():
    """T49: 0.0402016 bits; scipy's documented distances, squared and from nats to bits: 0.4645014², and 1."""
    assert jensen_shannon(MOVED, QUARTERS) == pytest.approx(0.0402016, abs=5e-8)
    assert jensen_shannon([1, 0], [0.5, 0.5]) == pytest.approx(0.4645014**2 / np.log(2), abs=5e-7)
    assert jensen_shannon([1, 0, 0], [0, 1, 0]) == 1


@given(cells)
def test_divergence_agrees_with_scipy(pair):
    """The square of scipy's distance to the base 2."""
    first, second = pair

    assert jensen_shannon(first, second) == pytest.approx(jensenshannon(first, second, 2) ** 2, abs=1e-7)


@given(cells)
def test_divergence_is_symmetric_within_0_and_1(pair):
    """The order does not matter; equal shares are apart by 0, whatever their counts."""
    first, second = pair

    assert jensen_shannon(first, second) == pytest.approx(jensen_shannon(second, first), abs=1e-12)
    assert 0 <= jensen_shannon(first, second) <= 1
    assert jensen_shannon(first, [3 * count for count in first]) == pytest.approx(0, abs=1e-9)


@given(cells)
def test_index_is_symmetric_and_never_negative(pair):
    """Exchanged samples have the same index, and so has the order of cells."""
    first, second = pair
    assume(sum(a + b > 0 for a, b in zip(first, second, strict=True)) > 1)

    index = population_stability(first, second).index

    assert index >= 0
    assert population_stability(second, first).index == pytest.approx(index)
    assert population_stability(first[::-1], second[::-1]).index == pytest.approx(index)


def test_threshold_is_what_chance_makes():
    """Ten cells of 100 + 100 cases: (1/100 + 1/100)·χ²₀.₉₉ with 9 degrees, 0.02·21.666; with many cases 0.1."""
    few, many = [10] * 10, [10_000] * 10

    assert population_stability(few, few).threshold == pytest.approx(0.02 * 21.666, abs=1e-5)
    assert population_stability(few, few, level=0.05).threshold == pytest.approx(0.02 * stats.chi2.ppf(0.95, 9))
    assert population_stability(many, many).threshold == 0.1


def test_equal_distributions_drift_as_rarely_as_the_level_says():
    """2000 pairs of samples of 100 in ten cells: the usual 0.1 calls 85 % of them drifted, ours about 1 %."""
    random = np.random.default_rng(2)
    pairs = random.multinomial(100, [0.1] * 10, size=(2000, 2))

    found = [population_stability(*pair) for pair in pairs]

    assert np.mean([each.index > 0.1 for each in found]) == pytest.approx(0.85, abs=0.04)
    assert np.mean([each.has_drifted for each in found]) < 0.025


def test_shift_that_matters_is_found():
    """Shares of 0.7 and 0.3 that were 0.4 and 0.6, 200 cases each: 0.3·ln 1.75 + 0.3·ln 2 = 0.376 is above 0.1."""
    stability = population_stability([140, 60], [80, 120])

    assert stability.index == pytest.approx(0.3 * np.log(1.75) + 0.3 * np.log(2))
    assert stability.has_drifted


def test_empty_cell_adds_half_a_case_to_all():
    """By hand: 10.5 and 0.5 of 11 against 5.5 and 5.5: (5/11)·ln(10.5/5.5) + (5/11)·ln(5.5/0.5) = 1.3838."""
    assert population_stability([10, 0], [5, 5]).index == pytest.approx(5 / 11 * np.log(10.5 / 0.5))


def test_cell_empty_in_both_does_not_count():
    """It can neither move nor take a degree of freedom."""
    assert population_stability([40, 30, 0, 20, 10], [25, 25, 0, 25, 25]) == population_stability(MOVED, QUARTERS)


@pytest.mark.parametrize(
    ("actual", "expected", "options", "message"),
    [
        ([1, 2], [1, 2, 3], {}, r"\[1.0, 2.0\] and \[1.0, 2.0, 3.0\]; expected counts in the same cells"),
        ([1, -2], [1, 2], {}, "expected counts in the same cells, 0 or more, not all 0"),
        ([0, 0], [1, 2], {}, "expected counts in the same cells, 0 or more, not all 0"),
        ([3, 0], [4, 0], {}, "1 cell in use; shares can move between at least 2"),
        ([1, 2], [1, 2], {"level": 1}, "level=1; expected a number between 0 and 1, for example 0.01"),
    ],
)
def test_impossible_counts_are_refused(actual, expected, options, message):
    """Each message says what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        population_stability(actual, expected, **options)
