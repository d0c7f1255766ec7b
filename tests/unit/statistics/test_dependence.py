"""How alike cases of a cluster are, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics import design_effect, intraclass_correlation
from pytest_llmval.statistics.differences.clustered import clustered_mean

SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def grouped(clusters, correlation, seed):
    """Values of variance 1 in clusters of 1 to 10, two of one cluster correlated as said."""
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(clusters), random.integers(1, 11, clusters))
    shared = random.normal(0, correlation**0.5, clusters)[names]
    return shared + random.normal(0, (1 - correlation) ** 0.5, names.size), names.tolist()


def test_correlation_reproduces_shrout_and_fleiss():
    """Psychol. Bull. 86 (1979) 420: six targets, four judges, ICC(1, 1) = .17, that is (11.24 − 6.26)/30.02."""
    ratings = [9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7]

    found = intraclass_correlation(ratings, [place // 4 for place in range(24)])

    assert found == pytest.approx(0.1657, abs=5e-5)


def test_unequal_clusters_by_hand():
    """0, 2 | 4: MSB = 6, MSW = 2, m₀ = 3 − 5/3 = 4/3; (6 − 2)/(6 + 2/3) = .6."""
    assert intraclass_correlation([0, 2, 4], ["a", "a", "b"]) == pytest.approx(0.6)


def test_known_correlation_is_found():
    """2000 clusters of unequal size."""
    assert intraclass_correlation(*grouped(2000, 0.3, seed=1)) == pytest.approx(0.3, abs=0.02)


def test_equal_cases_within_clusters():
    """Copies of one case are fully correlated; opposites in every cluster are less alike than by chance."""
    assert intraclass_correlation([1, 1, 2, 2], list("aabb")) == 1.0
    assert intraclass_correlation([1, -1, 1, -1], list("aabb")) == -1.0


def test_effect_predicts_the_clustered_error():
    """4000 clusters: variance by clusters over variance by cases is the design effect."""
    values, clusters = grouped(4000, 0.4, seed=2)
    by_clusters, by_cases = clustered_mean(values, clusters), clustered_mean(values, range(len(clusters)))

    predicted = design_effect(np.bincount(clusters).tolist(), 0.4)

    assert (by_clusters.standard_error / by_cases.standard_error) ** 2 == pytest.approx(predicted, rel=0.05)


def test_equal_clusters_by_hand():
    """1 + (10 − 1)·.3 = 3.7, as in Miller's formula."""
    assert design_effect([10] * 7, 0.3) == pytest.approx(3.7)


@given(SIZES, st.floats(0, 1))
def test_unequal_clusters_cost_more(sizes, correlation):
    """Large clusters weigh more than small ones make up for; single cases cost nothing."""
    mean = sum(sizes) / len(sizes)

    assert design_effect(sizes, correlation) >= (1 + (mean - 1) * correlation) * (1 - 1e-12)
    assert design_effect([1] * len(sizes), correlation) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: design_effect([3, 0], 0.1),
            r"sizes=\[3, 0\], correlation=0\.1; expected clusters of 1 case or more, and \[-1, 1\]",
        ),
        (lambda: design_effect([], 0.1), r"sizes=\[\], correlation=0\.1; expected clusters"),
        (lambda: design_effect([3], 30), r"sizes=\[3\], correlation=30; expected clusters"),
        (
            lambda: intraclass_correlation([1, 2], ["a", "a"]),
            r"2 values in 1 clusters; expected at least 2 clusters, one of them of 2 cases",
        ),
        (
            lambda: intraclass_correlation([1, 2], ["a", "b"]),
            r"2 values in 2 clusters; expected at least 2 clusters, one of them of 2 cases",
        ),
        (lambda: intraclass_correlation([], []), r"0 values in 0 clusters; expected at least 2 clusters"),
        (
            lambda: intraclass_correlation([1, 1, 1], ["a", "a", "b"]),
            r"all 3 values are equal; a correlation needs values that differ",
        ),
    ],
)
def test_impossible_clusters_are_refused(call, message):
    """Every message names what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        call()
