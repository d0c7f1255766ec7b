"""Quantiles by order statistics: exact coverage, whatever the distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.order_statistics import (
    quantile,
    quantile_interval,
    sample_to_decide,
    smallest_sample_for,
)

shares = st.sampled_from([0.07, 0.1, 0.5, 0.9, 0.95, 0.99])
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
sizes = st.integers(1, 400)
values = st.lists(st.floats(0, 1e6) | st.just(math.inf), min_size=1, max_size=80)


def ranks(size, q, confidence):
    """The ends as ranks from 1 on; 0 and size + 1 stand for none."""
    found = quantile_interval(range(1, size + 1), q, confidence)
    return 0 if found.low == -math.inf else int(found.low), size + 1 if found.high == math.inf else int(found.high)


@given(sizes, shares, confidences)
def test_each_end_misses_at_most_as_often_as_it_says(size, q, confidence):
    """The number B of draws below the quantile is binomial: x₍ₗ₎ lies above it when B < l, x₍ᵤ₎ below when B ≥ u."""
    low, high = ranks(size, q, confidence)
    chances = [math.comb(size, k) * q**k * (1 - q) ** (size - k) for k in range(size + 1)]

    assert math.fsum(chances[:low]) <= (1 - confidence) / 2 + 1e-12
    assert math.fsum(chances[high:]) <= (1 - confidence) / 2 + 1e-12


@given(sizes, shares, confidences)
def test_the_ends_are_the_closest_that_do(size, q, confidence):
    """One rank further in, either end would miss more often than it says."""
    low, high = ranks(size, q, confidence)
    tail = (1 - confidence) / 2

    assert stats.binom.cdf(low, size, q) > tail
    assert stats.binom.sf(high - 2, size, q) > tail - 1e-12


@pytest.mark.parametrize(
    ("size", "q", "confidence", "ends"),
    [
        # P(B ≤ 1) = 11/1024 = .011 ≤ .025 < P(B ≤ 2) = 56/1024 = .055, and the same from above: x₂ to x₉ of 10.
        (10, 0.5, 0.95, Interval(2, 9)),
        # P(B ≤ 83) = .0206, P(B ≤ 84) = .0399, P(B ≤ 95) = .9763: x₈₄ to x₉₆ of 100.
        (100, 0.9, 0.95, Interval(84, 96)),
        # .95⁵⁹ = .0485 ≤ .05, .95⁵⁸ = .0510.
        (59, 0.95, 0.90, Interval(53, 59)),
        (58, 0.95, 0.90, Interval(52, math.inf)),
        # .5⁴ = .0625: neither end of the median of four.
        (4, 0.5, 0.90, Interval(-math.inf, math.inf)),
    ],
)
def test_known_ranks(size, q, confidence, ends):
    """Ranks that can be looked up or summed by hand."""
    assert quantile_interval(range(1, size + 1), q, confidence) == ends


@given(values, shares, confidences)
def test_the_interval_contains_the_estimate(sample, q, confidence):
    """Also where values are infinite."""
    found = quantile_interval(sample, q, confidence)

    assert found.low <= quantile(sample, q) <= found.high


@given(values, shares)
def test_more_confidence_is_no_narrower(sample, q):
    """Monotone in the confidence."""
    narrow, wide = quantile_interval(sample, q, 0.8), quantile_interval(sample, q, 0.95)

    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(values, shares, st.sampled_from([0.125, 1024.0]))
def test_another_unit_changes_nothing_else(sample, q, factor):
    """Milliseconds in place of seconds; powers of two multiply without rounding."""
    own, scaled = quantile_interval(sample, q), quantile_interval([factor * each for each in sample], q)

    assert (scaled.low, scaled.high) == (factor * own.low, factor * own.high)
    assert quantile([factor * each for each in sample], q) == factor * quantile(sample, q)


@given(values, shares)
def test_the_estimate_is_that_of_numpy(sample, q):
    """It is numpy's `inverted_cdf`, but for shares of which n·q is whole only without rounding errors."""
    expected = sorted(sample)[math.ceil(round(len(sample) * q, 9)) - 1]

    assert quantile(sample, q) == expected
    if not (len(sample) * q).is_integer() and abs(len(sample) * q - round(len(sample) * q)) > 1e-9:
        assert quantile(sample, q) == np.quantile(sample, q, method="inverted_cdf")


def test_seven_of_a_hundred():
    """100 · 0.07 is 7.000000000000001 in floating point, and the seventh value is the quantile."""
    assert quantile(range(1, 101), 0.07) == 7


@pytest.mark.parametrize(("above", "size"), [(0, 59), (1, 93), (2, 124), (3, 153), (4, 181)])
def test_wilks_numbers(above, size):
    """S. S. Wilks (1941): draws for a 95/95 bound by the largest, the second largest, … value."""
    assert smallest_sample_for(0.95, 0.90, above=above) == size


@given(shares, confidences, st.integers(0, 5))
def test_that_many_give_an_upper_end(q, confidence, above):
    """And one less does not."""
    size = smallest_sample_for(q, confidence, above=above)
    sample = [1.0] * (size - above) + [math.inf] * above

    assert quantile_interval(sample, q, confidence).high == 1.0
    assert size == 1 or quantile_interval(sample[1:], q, confidence).high == math.inf


@given(st.integers(0, 100), shares, st.integers(1, 300))
def test_that_many_decide(percent, q, start):
    """As many draws, the same share of them at the bound, lie on one side of it."""
    size = sample_to_decide(percent / 100, q, start=start)

    if size is None:
        assert percent / 100 == q
        return
    below = math.floor(round(percent / 100 * size, 9))
    found = quantile_interval([0.0] * below + [1.0] * (size - below), q)
    assert size >= start
    assert found.high <= 0 or found.low > 0


def test_none_below_the_median():
    """All draws above the bound: .5⁵ = .031 ≤ .05 < .5⁴ = .063."""
    assert sample_to_decide(0.0, 0.5) == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantile([], 0.5), r"an empty sample has no quantile; expected at least one value"),
        (lambda: quantile_interval([1.0, math.nan], 0.5), r"the sample has a NaN; expected numbers"),
        (lambda: quantile_interval([1.0], 95), r"q=95; expected a share between 0 and 1, for example 0.95"),
        (lambda: quantile_interval([1.0], 0.5, 1.0), r"confidence=1.0; expected a number between 0 and 1"),
        (lambda: smallest_sample_for(0.0), r"q=0.0; expected a share"),
        (lambda: sample_to_decide(0.5, 1.0), r"q=1.0; expected a share"),
    ],
)
def test_impossible_arguments(call, message):
    """Each message names what was given."""
    with pytest.raises(ValueError, match=message):
        call()


def test_no_sample_is_large_enough():
    """It would be ln .05 / ln(1 − 1e-8) = 3e8."""
    assert smallest_sample_for(1 - 1e-8) is None
