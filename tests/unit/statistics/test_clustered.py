"""Cases that come in groups."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics import clustered_interval, paired_t_interval
from pytest_llmval.statistics.differences.clustered import cluster_sums, clustered_mean

columns = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=4, max_size=40).filter(
    lambda rows: len({cluster for _, cluster in rows}) > 1
)


@given(columns)
def test_standard_error_agrees_with_statsmodels(rows):
    """The oracle is a regression on a constant with cluster-robust errors; its factor has (n − 1)/(n − 1) = 1."""
    differences, clusters = [row[0] for row in rows], [row[1] for row in rows]

    model = sm.OLS(np.array(differences), np.ones(len(rows)))
    expected = model.fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters), "use_correction": True}).bse[0]

    assert clustered_mean(differences, clusters).standard_error == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40))
def test_clusters_of_one_case_give_the_t_interval(differences):
    """Without clusters worth the name nothing changes."""
    clustered, plain = clustered_interval(differences, range(len(differences))), paired_t_interval(differences)

    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.integers(2, 4))
def test_repeating_every_case_within_its_cluster_adds_no_certainty(differences, copies):
    """A copy of a case is no new evidence."""
    once = clustered_interval(differences, range(len(differences)))
    repeated = clustered_interval(differences * copies, list(range(len(differences))) * copies)

    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high), abs=1e-9)


@given(columns)
def test_swapping_the_versions_mirrors_the_interval(rows):
    """Negative differences, the same width."""
    clusters = [cluster for _, cluster in rows]
    forth = clustered_interval([value for value, _ in rows], clusters)
    back = clustered_interval([-value for value, _ in rows], clusters)

    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


def test_clusters_are_told_apart_by_equality():
    """Names of any kind, in any order: 1 and "1" are two clusters, 1 and True are one."""
    assert cluster_sums([1.0, 2.0, 4.0, 8.0], ["1", 1, True, ("a", 1)]).tolist() == [1.0, 6.0, 8.0]


def test_one_cluster_is_refused():
    """One cluster has no spread; a standard error of 0 would be a lie."""
    with pytest.raises(ValueError, match=r"1 cluster; the spread between clusters needs at least 2"):
        clustered_interval([0.1, 0.2], ["a", "a"])
    with pytest.raises(ValueError, match=r"0 cluster; the spread between clusters needs at least 2"):
        clustered_interval([], [])


def test_columns_of_different_length_are_refused():
    """The message names both lengths."""
    with pytest.raises(ValueError, match=r"2 values but 3 clusters; expected one cluster a value"):
        clustered_interval([0.1, 0.2], ["a", "b", "c"])
