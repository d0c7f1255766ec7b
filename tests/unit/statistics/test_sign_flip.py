"""The permutation test for paired differences."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import mcnemar_exact, sign_flip_p

MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


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


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12), st.integers(0, 30))
def test_unchanged_cases_are_no_evidence(differences, same):
    """Adding cases in which nothing changed leaves the value as it is."""
    assert sign_flip_p(differences + [0.0] * same) == sign_flip_p(differences)


@pytest.mark.parametrize(("gained", "lost"), [(3, 9), (0, 5), (7, 7)])
def test_passes_gained_and_lost_are_mcnemars(gained, lost):
    """For changes of one size counting sign patterns is the exact binomial test."""
    assert sign_flip_p([1.0] * gained + [-1.0] * lost) == pytest.approx(mcnemar_exact(gained, lost))


@pytest.mark.parametrize(("gained", "lost"), [(6, 15), (9, 10), (24, 40), (33, 60), (210, 290)])
def test_drawn_value_is_near_mcnemars(gained, lost):
    """Whatever is left over by groups of ten values: within four standard errors of 99 999 draws."""
    differences, exact = [1.0] * gained + [-1.0] * lost, mcnemar_exact(gained, lost)

    for alternative, expected in (("two-sided", exact), ("less", exact / 2)):
        drawn = sign_flip_p(differences, alternative=alternative, resamples=99_999, seed=gained)
        assert drawn == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 99_999) ** 0.5 + 1e-5)


def test_drawn_clusters_are_their_sums():
    """Thirty clusters of three: each flips as one value would."""
    values = np.random.default_rng(8).normal(0.1, 1, 90)

    clustered = sign_flip_p(values, clusters=[place % 30 for place in range(90)], seed=5)

    assert clustered == sign_flip_p(values.reshape(3, 30).sum(axis=0), seed=5)


def test_no_draw_is_refused():
    """The message names the number."""
    with pytest.raises(ValueError, match=r"resamples=0; expected at least 1"):
        sign_flip_p([1.0] * 20, resamples=0)


def test_memory_does_not_grow_with_resamples():
    """9999 resamples of 3000 cases would fill 240 MB at once; 2 MB are enough."""
    differences = np.random.default_rng(0).normal(size=3000)

    tracemalloc.start()
    sign_flip_p(differences)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2e6


def test_no_change_is_no_evidence():
    """All differences 0: every pattern is as extreme."""
    assert sign_flip_p([0.0, 0.0]) == 1.0


@pytest.mark.parametrize(("differences", "alternative"), [([], "two-sided"), ([1.0], "larger")])
def test_impossible_requests_are_refused(differences, alternative):
    """The message names the number of differences and the allowed words."""
    with pytest.raises(ValueError, match=r"differences, alternative='.*'; expected 'two-sided', 'greater' or 'less'"):
        sign_flip_p(differences, alternative=alternative)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_order_has_no_part_in_a_drawn_value(alternative):
    """The same differences backwards give the same value to the last bit, also where patterns are drawn."""
    differences = np.random.default_rng(3).normal(0.1, 1, 60).tolist()
    expected = sign_flip_p(differences, alternative=alternative)
    assert sign_flip_p(differences[::-1], alternative=alternative) == expected
