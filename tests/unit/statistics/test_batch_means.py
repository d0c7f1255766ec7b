"""A rate over time, by batch means."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics.batch_means import batch_means

pieces = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0.01, 10), st.floats(0, 50)),
    min_size=1,
    max_size=30,
)


def columns(rows):
    """Starts, seconds and work."""
    return [[row[place] for row in rows] for place in range(3)]


def test_rates_by_hand():
    """0–2 s: 4 at 2/s. 1–2 s: 3 at 3/s, so windows of 1 s have rates 2 and 5: mean 3.5, error 3/√2/√2 = 1.5."""
    found = batch_means([0.0, 1.0], [2.0, 1.0], [4.0, 3.0], windows=2)

    assert (found.mean, found.standard_error, found.windows) == pytest.approx((3.5, 1.5, 2))


@given(pieces, st.integers(2, 20))
def test_the_mean_rate_is_all_work_over_all_time(rows, windows):
    """However many windows there are."""
    starts, seconds, work = columns(rows)
    span = max(start + last for start, last, _ in rows) - min(starts)

    assert batch_means(starts, seconds, work, windows).mean == pytest.approx(sum(work) / span, abs=1e-9)


@given(pieces, st.integers(2, 20))
def test_another_clock_changes_nothing(rows, windows):
    """Starts count from any moment."""
    starts, seconds, work = columns(rows)

    own = batch_means(starts, seconds, work, windows)
    moved = batch_means([start + 1000 for start in starts], seconds, work, windows)

    assert (moved.mean, moved.standard_error) == pytest.approx((own.mean, own.standard_error), rel=1e-6, abs=1e-6)


def test_work_without_duration():
    """It is done when it begins, the first one included: two of four in each second."""
    found = batch_means([0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 1.0, 0.0], [1.0] * 4, windows=2)

    assert found.mean == 2
    assert found.standard_error == pytest.approx(0)


def test_the_interval_is_that_of_students_t():
    """It is scipy's t interval over the rates of the windows."""
    rates = [5.0, 7.0, 6.0, 9.0, 4.0, 8.0]

    found = batch_means(range(6), [1.0] * 6, rates, windows=6).interval(0.90)

    expected = stats.ttest_1samp(rates, 0).confidence_interval(0.90)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_more_windows_narrow_it():
    """By 1/√windows and the degrees of freedom; a rate is never below 0."""
    found = batch_means(range(6), [1.0] * 6, [0.0, 9.0, 0.0, 9.0, 0.0, 9.0], windows=6)

    assert found.interval(0.99).low == 0
    assert found.interval(0.90, 24).high < found.interval(0.90).high


def closed_loop(random, requests, concurrency, spread):
    """A server that has so many requests at a time, each of log-normal duration."""
    free, starts, seconds = [0.0] * concurrency, [], []
    for _ in range(requests):
        starts.append(heapq.heappop(free))
        seconds.append(float(random.lognormal(0, spread)))
        heapq.heappush(free, starts[-1] + seconds[-1])
    return starts, seconds


@pytest.mark.parametrize(("requests", "concurrency", "spread"), [(200, 8, 0.3), (200, 1, 0.5), (200, 8, 0.8)])
def test_the_interval_covers_what_such_runs_reach(requests, concurrency, spread):
    """At least 90 % of 300 simulated runs, within two standard errors (1.7 %); windows hold 95 % of the requests."""
    random, runs = np.random.default_rng(0), []
    for _ in range(300):
        starts, seconds = closed_loop(random, requests, concurrency, spread)
        span = max(start + last for start, last in zip(starts, seconds, strict=True))
        windows = min(20, int(span / np.quantile(seconds, 0.95)))
        runs.append(batch_means(starts, seconds, [1.0] * requests, windows))
    reached = np.mean([run.mean for run in runs])

    covered = np.mean([run.interval(0.90).low <= reached <= run.interval(0.90).high for run in runs])

    assert covered >= 0.90 - 2 * 0.017


@pytest.mark.parametrize(
    ("rows", "windows", "message"),
    [
        ([(0.0, 1.0, 1.0)], 1, r"windows=1 over 1 s; expected at least 2, and some time"),
        ([(3.0, 0.0, 1.0)], 5, r"windows=5 over 0 s; expected at least 2, and some time"),
        ([], 5, r"windows=5 over 0 s"),
    ],
)
def test_nothing_to_take_a_rate_of(rows, windows, message):
    """One window has no spread, and no time no rate."""
    with pytest.raises(ValueError, match=message):
        batch_means(*columns(rows), windows)
