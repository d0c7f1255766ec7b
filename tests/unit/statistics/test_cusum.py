"""Cumulative sums of a stream, and how long they run before a false alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.sequential.cusum import cusum, cusum_run_length

# NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.3: target 325, k = 0.3175, h = 4.1959.
NIST = [324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600]
NIST += [324.625, 325.150, 328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350]

streams = st.lists(st.floats(-3, 3), max_size=30)


def test_sums_reproduce_the_handbook():
    """T47: the sums from the 13th value on (the handbook rounds them to 3.01, 4.94, …), the alarm at the 14th.

    By hand: 328.325 − 325 − 0.3175 = 3.0075, then + 327.25 − 325.3175 = 4.94.
    """
    found = cusum(NIST, target=325, slack=0.3175, limit=4.1959)

    assert found.high[12:] == pytest.approx([3.0075, 4.94, 7.4475, 10.63, 11.9875, 14.445, 16.0025, 19.035])
    assert found.alarm == 13


@given(streams)
def test_mirrored_stream_exchanges_the_sums(values):
    """What lies above the target lies below its mirror image."""
    found = cusum(values, target=0, slack=0.2, limit=3)
    mirrored = cusum([-value for value in values], target=0, slack=0.2, limit=3)

    assert (mirrored.high, mirrored.low, mirrored.alarm) == (found.low, found.high, found.alarm)


@given(streams)
def test_sum_is_the_worst_stretch_that_ends_now(values):
    """The recursion equals its meaning: the greatest sum of deviations over the last j values, j from 0 on."""
    found = cusum(values, target=0, slack=0.2, limit=3)

    for end in range(1, len(values) + 1):
        worst = max(sum(value - 0.2 for value in values[start:end]) for start in range(end + 1))
        assert found.high[end - 1] == pytest.approx(worst, abs=1e-9)


def test_stream_on_target_raises_no_alarm():
    """Nothing exceeds the limit: there is no alarm, rather than one at the end."""
    assert cusum([0.0] * 50, target=0, slack=0.5, limit=5).alarm is None
    assert cusum([], target=0, slack=0.5, limit=5).alarm is None


def test_fall_raises_an_alarm_too():
    """Three values of −2 with a slack of 0.5: sums of 1.5, 3 and 4.5 below the target."""
    found = cusum([-2.0] * 3, target=0, slack=0.5, limit=4)

    assert (found.low, found.high, found.alarm) == ((1.5, 3.0, 4.5), (0.0, 0.0, 0.0), 2)


@pytest.mark.parametrize(("limit", "shift", "run_length"), [(4, 0, 338.1), (5, 0, 938.2), (4, 1, 8.34), (5, 1, 10.34)])
def test_run_length_reproduces_siegmund(limit, shift, run_length):
    """T48; by hand for h = 4: b = 5.166, (e⁵·¹⁶⁶ − 5.166 − 1)/0.5 = 338.1."""
    assert cusum_run_length(limit, shift=shift) == pytest.approx(run_length, rel=2e-3 if shift else 2e-4)


def test_watching_both_sides_halves_the_time_to_a_false_alarm():
    """T48: 169 and 469, half of the one-sided run lengths; a shift upwards is hardly found sooner."""
    assert cusum_run_length(4, two_sided=True) == pytest.approx(169, abs=0.5)
    assert cusum_run_length(5, two_sided=True) == pytest.approx(469, abs=0.5)
    assert cusum_run_length(5, shift=1, two_sided=True) == pytest.approx(cusum_run_length(5, shift=1), rel=1e-3)


def test_run_length_is_near_what_streams_show():
    """400 normal streams without a shift, h = 3, seed 6: the mean run is Siegmund's within four standard errors."""
    random = np.random.default_rng(6)
    runs = [_run(random) for _ in range(400)]

    assert np.mean(runs) == pytest.approx(cusum_run_length(3), abs=4 * np.std(runs) / 20)


def _run(random):
    """Values until the sum above the target exceeds 3."""
    current = count = 0
    while current <= 3:
        current, count = max(0.0, current + random.normal() - 0.5), count + 1
    return count


@given(st.floats(0.5, 8), st.floats(-1.5, 1.5))
def test_run_length_falls_with_the_shift_and_rises_with_the_limit(limit, shift):
    """Also where the shift equals the slack and the formula is 0/0."""
    here = cusum_run_length(limit, shift=shift)

    assert cusum_run_length(limit, shift=shift + 0.01) < here
    assert cusum_run_length(limit + 0.01, shift=shift) > here
    assert cusum_run_length(limit, shift=0.5) == pytest.approx((limit + 1.166) ** 2)


def test_run_length_beyond_counting_is_infinite():
    """With a limit of 1000 the exponential leaves the floats."""
    assert cusum_run_length(1000) == math.inf


@pytest.mark.parametrize(("slack", "limit"), [(-0.1, 5), (0.5, 0), (math.nan, 5)])
def test_impossible_chart_is_refused(slack, limit):
    """Both functions name slack and limit with what is allowed."""
    message = "slack=.*, limit=.*; expected a slack of 0 or more, and a limit above 0"

    with pytest.raises(ValueError, match=message):
        cusum([1.0], target=0, slack=slack, limit=limit)
    with pytest.raises(ValueError, match=message):
        cusum_run_length(limit, slack=slack)
