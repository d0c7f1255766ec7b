"""Cases that come in groups."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import clustered_interval, paired_t_interval
from pytest_llmval.statistics.clustered import clustered_standard_error


def test_standard_error_reproduces_inspect_ai():
    """T16: values 0…19 in clusters i % 4 have the standard error .645 in inspect_ai's test-suite."""
    values = [float(value) for value in range(20)]

    assert clustered_standard_error(values, [value % 4 for value in range(20)]) == pytest.approx(0.645, abs=5e-4)


def test_standard_error_reproduces_the_worked_example():
    """T17: four clusters of three, CR1 = .2097176 by statsmodels."""
    differences = [1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0]

    assert clustered_standard_error(differences, [place // 3 for place in range(12)]) == pytest.approx(
        0.2097176, abs=5e-8
    )


def test_interval_takes_t_with_one_degree_less_than_clusters():
    """T17 again: mean 5/12, four clusters, t(3) at 90 % = 2.3534, half = .4936."""
    interval = clustered_interval([1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0], [place // 3 for place in range(12)])

    half = stats.t.ppf(0.95, 3) * 0.2097176
    assert (interval.low, interval.high) == pytest.approx((5 / 12 - half, 5 / 12 + half), abs=1e-6)


columns = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=4, max_size=40).filter(
    lambda rows: len({cluster for _, cluster in rows}) > 1
)


@given(columns)
def test_standard_error_agrees_with_statsmodels(rows):
    """The oracle is a regression on a constant with cluster-robust errors; its factor has (n − 1)/(n − 1) = 1."""
    differences, clusters = [row[0] for row in rows], [row[1] for row in rows]

    model = sm.OLS(np.array(differences), np.ones(len(rows)))
    expected = model.fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters), "use_correction": True}).bse[0]

    assert clustered_standard_error(differences, clusters) == pytest.approx(expected, abs=1e-9)


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


def test_one_cluster_is_refused():
    """One cluster has no spread; a standard error of 0 would be a lie."""
    with pytest.raises(ValueError, match=r"1 cluster; the spread between clusters needs at least 2"):
        clustered_interval([0.1, 0.2], ["a", "a"])


def test_columns_of_different_length_are_refused():
    """The message names both lengths."""
    with pytest.raises(ValueError, match=r"2 values but 3 clusters; expected one cluster a value"):
        clustered_interval([0.1, 0.2], ["a", "b", "c"])
