"""The permutation test for paired differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import sign_flip_p

MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def test_exact_value_reproduces_fishers_maize():
    """T13: Fisher (1935), Darwin's maize: 863 of 32768 patterns one-sided, twice as many two-sided."""
    assert sign_flip_p(MAIZE, alternative="greater") == pytest.approx(863 / 32768)
    assert sign_flip_p(MAIZE) == pytest.approx(0.0526733, abs=5e-8)


def test_exact_value_reproduces_the_sleep_data():
    """T12: Student's sleep data, with one difference of 0: p = 4/1024."""
    differences = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4]

    assert sign_flip_p(differences) == pytest.approx(0.00390625)


@given(
    st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=8), st.sampled_from(["two-sided", "greater", "less"])
)
def test_exact_value_agrees_with_scipy(differences, alternative):
    """The oracle is scipy's paired permutation test over all patterns."""
    column = np.array(differences)
    expected = stats.permutation_test(
        (column, np.zeros_like(column)),
        lambda ours, theirs, axis: np.mean(ours - theirs, axis=axis),
        permutation_type="samples",
        alternative=alternative,
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue

    # Doubling the smaller tail, as scipy does, equals counting both tails: the patterns are symmetric.
    assert sign_flip_p(differences, alternative=alternative) == pytest.approx(min(1.0, expected))


def test_drawn_value_is_near_the_exact_one_and_repeatable():
    """Two more cases make the maize too long to count: the drawn value stays within four standard errors."""
    longer = [*MAIZE, 1e-6, 1e-6, 1e-6]

    drawn = sign_flip_p(longer, seed=7)

    assert drawn == sign_flip_p(longer, seed=7)
    assert drawn == pytest.approx(0.0526733, abs=4 * (0.05 * 0.95 / 9999) ** 0.5)


def test_drawn_value_is_never_zero():
    """The observed pattern counts as one of the drawn: 1/10000 at least."""
    assert sign_flip_p([1.0] * 200) == pytest.approx(1 / 10_000)


def test_cases_of_a_cluster_flip_together():
    """Eight cases in three clusters leave 2³ patterns, of which one is as large as three positive sums."""
    assert sign_flip_p([1.0] * 8, clusters=list("aaabbbcc"), alternative="greater") == pytest.approx(1 / 8)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_swapping_the_versions_keeps_the_value(differences):
    """A two-sided p-value is blind to direction, and the one-sided ones trade places."""
    swapped = [-value for value in differences]

    assert sign_flip_p(swapped) == pytest.approx(sign_flip_p(differences))
    assert sign_flip_p(swapped, alternative="less") == pytest.approx(sign_flip_p(differences, alternative="greater"))


def test_no_change_is_no_evidence():
    """All differences 0: every pattern is as extreme."""
    assert sign_flip_p([0.0, 0.0]) == 1.0


@pytest.mark.parametrize(("differences", "alternative"), [([], "two-sided"), ([1.0], "larger")])
def test_impossible_requests_are_refused(differences, alternative):
    """The message names the number of differences and the allowed words."""
    with pytest.raises(ValueError, match=r"differences, alternative='.*'; expected 'two-sided', 'greater' or 'less'"):
        sign_flip_p(differences, alternative=alternative)
