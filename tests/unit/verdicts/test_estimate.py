"""Intervals of the number a gate reads off its cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binom
from statsmodels.regression.linear_model import OLS

from pytest_llmval.statistics import paired_t_interval
from pytest_llmval.statistics.intervals import Interval, skewed_interval, t_interval
from pytest_llmval.verdicts.estimate import (
    LeastFavourable,
    clustered_mean_of,
    mean_of,
    mirrored,
    spread_of,
    suite_mean_of,
)

LIMITS = Interval(-1.0, 1.0)
SYMMETRIC = 0.3 * np.sin(np.linspace(-9, 9, 30))


def false_passes(loss, cases, margin, lower_end):
    """Chance that the lower end lies above −margin although cases lose that much, as often as makes up the margin."""
    ends = [lower_end(np.array([-loss] * count + [0.0] * (cases - count))) for count in range(cases + 1)]
    return sum(binom.pmf(count, cases, margin / loss) for count, end in enumerate(ends) if end > -margin)


@pytest.mark.parametrize(("loss", "student"), [(1.0, 0.124), (0.5, 0.093), (0.2, 0.058)])
def test_rare_losses_that_add_up_to_the_margin_rarely_pass(loss, student):
    """200 cases, of which each loses so much that 5 points are lost on the average: all counts, no simulation.

    Student's interval passes up to 12 % of them.
    """
    ours = false_passes(loss, 200, 0.05, lambda values: mean_of(values, LIMITS).interval(0.9).low)

    plain = false_passes(loss, 200, 0.05, lambda values: paired_t_interval(values.tolist()).low)
    assert plain == pytest.approx(student, abs=0.001)
    assert ours <= 0.053


def test_the_skewness_of_the_cases_widens_one_end():
    """Twelve of 60 lose .5: skewness −(1 − 2·.2)/√(.2·.8) = −1.5, so that the lower end lies farther out."""
    values = np.array([-0.5] * 12 + [0.0] * 48)

    interval = mean_of(values, LIMITS).interval(0.90)

    error = 0.5 * (0.2 * 0.8 / 59) ** 0.5
    student, expected = t_interval(-0.1, error, 59), skewed_interval(-0.1, error, 59, -1.5)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.low < student.low < student.high == pytest.approx(interval.high)


def test_symmetric_values_take_students_interval():
    """Nothing is moved."""
    interval, expected = mean_of(SYMMETRIC, LIMITS).interval(0.90), stats.ttest_1samp(SYMMETRIC, 0)

    assert (interval.low, interval.high) == pytest.approx(tuple(expected.confidence_interval(0.90)))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.sampled_from([0.5, 0.9, 0.98]))
def test_a_mirrored_estimate_has_the_mirrored_interval(values, confidence):
    """Of one reading as of the least favourable of two, whose least end is then the other one."""
    column = np.array(values)
    estimate, opposite = mean_of(column, LIMITS), mean_of(-column, LIMITS)

    turned = mirrored(estimate).interval(confidence)
    worse = mirrored(LeastFavourable((estimate, opposite))).interval(confidence)

    own = opposite.interval(confidence)
    assert (turned.low, turned.high) == pytest.approx((own.low, own.high), abs=1e-12)
    assert (worse.low, worse.high) == pytest.approx((min(own.low, -own.high), min(own.high, -own.low)), abs=1e-12)


def test_clusters_of_equal_size_take_cr1():
    """Statsmodels' clustered error with its correction G/(G − 1), and t with G − 1 degrees."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    # A cluster and its mirror image: the mean is not skewed.
    half = random.normal(0, 0.1, 6)
    values = np.concatenate([half, -half])[groups] + np.tile([-0.02, -0.01, 0, 0.01, 0.02], 12)

    found = clustered_mean_of(values, [f"g{group}" for group in groups], LIMITS)

    fit = OLS(values, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, use_t=True
    )
    half_width = stats.t.ppf(0.95, 11) * fit.bse[0] * (12 / 11) ** 0.5
    interval = found.interval(0.90)
    assert found.method == "cluster_t"
    assert (interval.low, interval.high) == pytest.approx((-half_width, half_width), rel=1e-6)


def test_clusters_of_one_case_are_cases():
    """Declaring what is independent anyway changes nothing, skewed or not."""
    values = np.array([-0.5] * 17 + [0.0] * 43)

    clustered = clustered_mean_of(values, [str(place) for place in range(60)], LIMITS).interval(0.90)
    plain = mean_of(values, LIMITS).interval(0.90)

    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high))


@pytest.mark.parametrize(("varying", "method"), [(4, "cluster_t+score"), (5, "cluster_t")])
def test_few_clusters_that_changed_are_no_basis(varying, method):
    """Four clusters of thirty that differ from the others say nothing about the next one."""
    values = np.array([0.01 * place if place <= varying else 0.0 for place in range(30)])

    assert clustered_mean_of(values, [str(place) for place in range(30)], LIMITS).method == method


def test_one_large_cluster_leaves_few_degrees():
    """54 of 60 cases in one of seven clusters: as good as two clusters, not as seven."""
    clusters = ["large"] * 54 + [f"g{place}" for place in range(6)]

    found = clustered_mean_of(SYMMETRIC.repeat(2), clusters, LIMITS)

    assert found.units < 3


def test_the_yardstick_of_values_does_not_depend_on_their_number():
    """The same values twice are as far apart as once."""
    assert spread_of([0.0, 2.0]) == spread_of([0.0, 2.0] * 50) == 1.0


def test_two_trials_show_no_skewness():
    """Their mean lies in the middle; of three it need not."""
    two = suite_mean_of([[0.0, 1.0]] * 12, [[0.0, 0.0]] * 12, LIMITS)
    three = suite_mean_of([[0.0, 1.0, 1.0]] * 12, [[0.0] * 3] * 12, LIMITS)

    assert two.skewness == 0
    # A case: third moment (−8 + 1 + 1)/27 / (2·1·3) = −1/27, variance 1/3 / 3 = 1/9; 12 of them: /√12.
    assert three.skewness == pytest.approx(-(1 / 27) / (1 / 9) ** 1.5 / 12**0.5)
