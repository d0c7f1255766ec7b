"""Bootstrap intervals for medians, means and ratios of sums."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import bootstrap_interval, bootstrap_ratio_interval, paired_t_interval

VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=30)
WAITS = np.random.default_rng(4).lognormal(1.0, 0.8, 60)
WORK = WAITS * np.random.default_rng(5).uniform(0.5, 1.5, 60)


def ends(interval):
    return interval.low, interval.high


def scipys(columns, statistic):
    found = stats.bootstrap(
        columns, statistic, paired=True, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    return ends(found.confidence_interval)


def test_mean_agrees_with_scipy():
    """20 000 resamples each: the ends differ by less than 2 %."""
    found = bootstrap_interval(WAITS, "mean", resamples=20_000)

    assert ends(found) == pytest.approx(scipys((WAITS,), np.mean), rel=0.02)


def test_ratio_agrees_with_scipy():
    """Both columns of a case are drawn together."""
    found = bootstrap_ratio_interval(WORK, WAITS, resamples=20_000)

    expected = scipys((WORK, WAITS), lambda above, below, axis: above.sum(axis=axis) / below.sum(axis=axis))
    assert ends(found) == pytest.approx(expected, rel=0.01)


def test_clusters_are_drawn_whole():
    """Twelve clusters of five: the mean of cases is the mean of cluster means, which scipy draws."""
    found = bootstrap_interval(WAITS, "mean", clusters=[place // 5 for place in range(60)], resamples=20_000)

    assert ends(found) == pytest.approx(scipys((WAITS.reshape(12, 5).mean(axis=1),), np.mean), rel=0.02)


@pytest.mark.parametrize(("count", "confidence"), [(5, 0.8), (9, 0.9), (25, 0.95)])
def test_median_of_an_odd_number_has_a_known_law(count, confidence):
    """The median is at most the i-th case when over half of the draws, each with a chance of i/n, are."""
    below = stats.binom.sf(count // 2, count, np.arange(1, count + 1) / count)
    low, high = (int(np.searchsorted(below, level)) for level in ((1 - confidence) / 2, (1 + confidence) / 2))

    assert ends(bootstrap_interval(range(count), confidence=confidence, resamples=50_000)) == (low, high)


@pytest.mark.parametrize("count", [2, 3, 8, 15, 40])
def test_clusters_of_one_case_are_cases(count):
    """Counting whole resamples gives the medians that drawing only their middle gives."""
    values = np.random.default_rng(count).normal(size=count)

    counted = bootstrap_interval(values, clusters=range(count), resamples=100_000)

    assert ends(bootstrap_interval(values, resamples=100_000)) == pytest.approx(ends(counted), abs=0.02)


def test_median_of_clusters_of_unequal_size():
    """Clusters a of 1 case and b of 4: aa has the median 0, ab and ba have 6, bb has 6.5, each drawn equally often."""
    values, clusters = [7.0, 5.0, 0.0, 8.0, 6.0], list("bbabb")

    inner, outer = (bootstrap_interval(values, clusters=clusters, confidence=share) for share in (0.4, 0.6))

    assert ends(inner) == (6.0, 6.0)
    assert ends(outer) == (0.0, 6.5)


@given(VALUES, st.sampled_from(["median", "mean"]))
def test_interval_lies_within_the_cases_and_holds_the_estimate(values, summary):
    """No resample is more extreme than the cases."""
    estimate = np.median(values) if summary == "median" else np.mean(values)

    interval = bootstrap_interval(values, summary, resamples=400, confidence=0.99)

    assert min(values) - 1e-9 <= interval.low <= estimate + 1e-9
    assert estimate - 1e-9 <= interval.high <= max(values) + 1e-9


@given(VALUES, st.sampled_from(["median", "mean"]), st.integers(1, 9), st.integers(-50, 50))
def test_interval_moves_with_the_unit(values, summary, factor, shift):
    """Seconds or milliseconds, from now or from then."""
    once = bootstrap_interval(values, summary, resamples=200)
    moved = bootstrap_interval([factor * value + shift for value in values], summary, resamples=200)

    assert ends(moved) == pytest.approx((factor * once.low + shift, factor * once.high + shift), abs=1e-9)


def test_swapping_the_columns_inverts_the_ratio():
    """Candidate over baseline, or baseline over candidate."""
    ratio, inverse = bootstrap_ratio_interval(WORK, WAITS), bootstrap_ratio_interval(WAITS, WORK)

    assert ends(inverse) == pytest.approx((1 / ratio.high, 1 / ratio.low), rel=1e-4)


def test_a_constant_ratio_is_a_point():
    """Twice as long in every case."""
    assert ends(bootstrap_ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])) == (2.0, 2.0)


def test_the_seed_decides():
    """The same seed, the same interval."""
    once = bootstrap_interval(WAITS, "mean", seed=3)

    assert once == bootstrap_interval(WAITS, "mean", seed=3)
    assert once != bootstrap_interval(WAITS, "mean", seed=4)


def test_more_cases_than_are_counted_at_once():
    """400 000 cases are drawn one resample at a time; their mean is sure to 5/√400 000 = .008."""
    interval = bootstrap_interval(np.arange(400_000) % 17, "mean", resamples=8)

    assert 7.9 < interval.low < interval.high < 8.1


def test_memory_does_not_grow_with_resamples():
    """9999 resamples of 3000 cases would fill 240 MB at once; 20 MB are enough."""
    differences = np.random.default_rng(0).normal(size=3000)

    tracemalloc.start()
    bootstrap_interval(differences, "mean")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20e6


def test_few_cases_are_covered_less_than_promised():
    """Eight cases, 95 %: Student's interval keeps its word, percentiles miss twice as often."""
    random = np.random.default_rng(2)
    covered = np.zeros(2)
    for number in range(500):
        values = random.normal(size=8)
        for place, interval in enumerate(
            [bootstrap_interval(values, "mean", resamples=500, seed=number), paired_t_interval(values, 0.95)]
        ):
            covered[place] += interval.low <= 0 <= interval.high

    assert covered[0] / 500 < 0.92
    assert covered[1] / 500 == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 500))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([1.0]), r"1 independent cases or clusters; a bootstrap needs at least 2"),
        (lambda: bootstrap_interval([]), r"0 independent cases or clusters; a bootstrap needs at least 2"),
        (
            lambda: bootstrap_interval([1.0, 2.0], clusters=["a", "a"]),
            r"1 independent cases or clusters; a bootstrap needs at least 2",
        ),
        (
            lambda: bootstrap_interval([1.0, 2.0], clusters=["a"]),
            r"2 values but 1 clusters; expected one cluster a value",
        ),
        (lambda: bootstrap_interval([1.0, math.nan]), r"value nan; expected finite numbers"),
        (lambda: bootstrap_interval([1.0, 2.0], "mode"), r"summary='mode'; expected 'median' or 'mean'"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), r"resamples=0; expected at least 1"),
        (
            lambda: bootstrap_interval([1.0, 2.0], confidence=95),
            r"confidence=95; expected a number between 0 and 1, for example 0\.90",
        ),
        (
            lambda: bootstrap_ratio_interval([1.0, 2.0], [1.0]),
            r"2 numerators, 1 denominators; expected one denominator a numerator",
        ),
        (
            lambda: bootstrap_ratio_interval([1.0, 2.0], [1.0, 0.0]),
            r"denominator 0\.0; expected more than 0",
        ),
        (lambda: bootstrap_ratio_interval([1.0, math.inf], [1.0, 1.0]), r"value inf; expected finite numbers"),
    ],
)
def test_impossible_requests_are_refused(call, message):
    """Every message names what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        call()
