"""Intervals for one rate or one mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import Interval, clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.intervals import rare_change_interval, skewed_interval, t_interval

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@given(counts, confidences)
def test_both_rate_intervals_agree_with_scipy(count, confidence):
    """scipy.stats.binomtest is the oracle for Wilson and Clopper-Pearson alike."""
    oracle = stats.binomtest(*count)

    for ours, method in ((wilson_interval, "wilson"), (clopper_pearson_interval, "exact")):
        expected = oracle.proportion_ci(confidence, method)
        actual = ours(*count, confidence)
        assert (actual.low, actual.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(counts, confidences)
def test_rate_intervals_contain_the_rate_and_stay_within_0_and_1(count, confidence):
    """An interval contains its estimate, also after rounding."""
    for method in (wilson_interval, clopper_pearson_interval):
        interval = method(*count, confidence)

        assert 0 <= interval.low <= count[0] / count[1] <= interval.high <= 1


@given(counts, confidences)
def test_counting_failures_instead_mirrors_the_interval(count, confidence):
    """The interval of the failure rate is one minus the interval of the pass rate."""
    successes, trials = count

    passes, failures = (
        wilson_interval(successes, trials, confidence),
        wilson_interval(trials - successes, trials, confidence),
    )

    assert (passes.low, passes.high) == pytest.approx((1 - failures.high, 1 - failures.low), abs=1e-12)


def test_no_trial_is_refused():
    """No trial says nothing about the rate, and the message says so."""
    with pytest.raises(ValueError, match=r"trials=0: no trial says nothing about the rate; expected at least 1"):
        wilson_interval(0, 0)


@pytest.mark.parametrize("successes", [-1, 11])
def test_impossible_number_of_successes_is_refused(successes):
    """The message names the value and the allowed range."""
    with pytest.raises(ValueError, match=rf"successes={successes}; expected a number from 0 to trials=10"):
        clopper_pearson_interval(successes, 10)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_impossible_confidence_is_refused(confidence):
    """Percent instead of a share is the usual mistake."""
    with pytest.raises(ValueError, match=r"confidence=.*; expected a number between 0 and 1, for example 0\.90"):
        wilson_interval(1, 2, confidence)


def test_t_interval_without_degrees_is_refused():
    """A spread estimated from one value has no degrees of freedom."""
    with pytest.raises(ValueError, match=r"degrees=0; expected more than 0"):
        t_interval(0.0, 1.0, 0)


@pytest.mark.parametrize(("margin", "cases"), [(0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52), (0.10, 25)])
def test_equal_values_need_as_many_cases_as_unchanged_pairs(margin, cases):
    """T53: z²/(n + z²) < margin first holds at these n, by Tango's formula without a change."""
    limits = Interval(-1.0, 1.0)

    assert rare_change_interval(0.0, 0.0, cases, limits).low > -margin
    assert rare_change_interval(0.0, 0.0, cases - 1, limits).low <= -margin


@given(st.integers(1, 500), confidences)
def test_all_passes_give_wilsons_bound(trials, confidence):
    """Values that all lie at a limit are Wilson's n successes of n."""
    interval = rare_change_interval(1.0, 0.0, trials, Interval(0.0, 1.0), confidence)

    expected = wilson_interval(trials, trials, confidence)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(counts, confidences)
def test_rare_change_interval_is_no_narrower_than_wilson(count, confidence):
    """For values of 0 and 1 the mixture may explain at least what Wilson's binomial may."""
    rate = count[0] / count[1]

    interval = rare_change_interval(rate, rate * (1 - rate), count[1], Interval(0.0, 1.0), confidence)

    assert interval.hull(wilson_interval(*count, confidence)).low == pytest.approx(interval.low, abs=1e-12)
    assert interval.hull(wilson_interval(*count, confidence)).high == pytest.approx(interval.high, abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), confidences)
def test_rare_change_interval_lies_around_the_mean_within_the_limits(values, confidence):
    """Whatever the values, no mean outside the limits is held plausible."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)

    interval = rare_change_interval(mean, variance, len(values), Interval(-1.0, 1.0), confidence)

    assert -1 - 1e-12 <= interval.low <= mean <= interval.high <= 1 + 1e-12


def test_the_interval_of_a_skewed_mean_follows_hall():
    """Hall's g(T) = T + a·T² + a²·T³/3 + b, with a = γ/(3√n) and b = γ/(6√n), is ±t at the corrected ends."""
    skewness, count = -2.0, 50
    reach = stats.t.ppf(0.95, count - 1)
    bend, shift = skewness / 3 / math.sqrt(count), skewness / 6 / math.sqrt(count)

    interval = skewed_interval(0.0, 1.0, count - 1, skewness)

    ratio = -interval.low
    assert ratio + bend * ratio**2 + bend**2 * ratio**3 / 3 + shift == pytest.approx(reach)
    assert interval.high == pytest.approx(reach)  # Student's end lies farther out
    assert interval.low < -reach


@given(st.floats(-6, 6), st.integers(4, 500), st.floats(0.5, 0.99))
def test_a_skewed_interval_holds_students_and_is_mirrored(skewness, degrees, confidence):
    """It only widens, and the other sign gives the mirror image."""
    student = t_interval(0.0, 1.0, degrees, confidence)

    interval = skewed_interval(0.0, 1.0, degrees, skewness, confidence)
    mirrored = skewed_interval(0.0, 1.0, degrees, -skewness, confidence)

    assert interval.low <= student.low < student.high <= interval.high
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_rare_losses_are_not_passed_too_often():
    """Differences of 0 or -.8, give or take .1, with a mean at the margin of -.05: t passes one in ten."""
    rng, runs, cases = np.random.default_rng(2), 2000, 60
    passed = {"student": 0, "corrected": 0}
    for _ in range(runs):
        column = rng.normal(0, 0.1, cases) - 0.8 * (rng.random(cases) < 0.0625)
        error, skewness = stats.sem(column), float(stats.skew(column))
        passed["student"] += t_interval(column.mean(), error, cases - 1).low > -0.05
        passed["corrected"] += skewed_interval(column.mean(), error, cases - 1, skewness).low > -0.05

    assert passed["corrected"] / runs < 0.065
    assert passed["student"] / runs > 0.085
