"""The mean over exactly the cases of a suite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics import suite_interval, variance_components
from pytest_llmval.statistics.differences.suite import suite_mean

CASES = st.lists(
    st.tuples(
        st.lists(st.integers(0, 10).map(float), min_size=2, max_size=6),
        st.lists(st.integers(0, 10).map(float), min_size=2, max_size=6),
    ),
    min_size=1,
    max_size=12,
)


def sides(rows):
    return [row[0] for row in rows], [row[1] for row in rows]


def test_two_cases_by_hand():
    """Twice s² = 1/4 of 4 trials: SE² = (1/16 + 1/16)/4, (1/8)²/(2·(1/16)²/3) = 6 degrees; mean (−1/4 + 3/4)/2."""
    found = suite_mean([[1, 0, 1, 1], [1, 1, 1, 1]], [[1, 1, 1, 1], [0, 0, 1, 0]])

    assert (found.value, found.standard_error**2, found.degrees) == pytest.approx((0.25, 1 / 32, 6))


@settings(max_examples=25)
@given(CASES.filter(lambda rows: min(len(set(trials)) for trials in rows[0]) > 1))
def test_one_case_is_welchs_interval(rows):
    """With one case there are two samples: scipy's Welch interval."""
    candidate, baseline = rows[0]
    oracle = stats.ttest_ind(candidate, baseline, equal_var=False).confidence_interval(0.90)

    interval = suite_interval([candidate], [baseline])

    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high))


@given(CASES)
def test_standard_error_case_by_case(rows):
    """√(Σ (s²/K + s²/K))/n, added up one case after the other."""
    total = sum(np.var(trials, ddof=1) / len(trials) for row in rows for trials in row)

    assert suite_mean(*sides(rows)).standard_error == pytest.approx(math.sqrt(total) / len(rows), abs=1e-12)


@given(CASES)
def test_swapping_the_versions_mirrors_the_interval(rows):
    """Negative differences, the same width."""
    candidate, baseline = sides(rows)

    forth, back = suite_interval(candidate, baseline), suite_interval(baseline, candidate)

    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(CASES)
def test_degrees_lie_between_those_of_one_case_and_of_all(rows):
    """At least the fewest trials of a case − 1, at most all trials − 1 a case."""
    freedoms = [len(trials) - 1 for row in rows for trials in row]

    assert min(freedoms) * (1 - 1e-9) <= suite_mean(*sides(rows)).degrees <= sum(freedoms) * (1 + 1e-9)


def test_the_suite_leaves_out_the_variance_between_cases():
    """SE²·n is the variance of a difference without ω²: 4 trials of 30 cases that differ a lot."""
    random = np.random.default_rng(6)
    candidate, baseline = (random.normal(random.normal(size=(30, 1)), 0.5, (30, 4)).tolist() for _ in range(2))

    parts = variance_components(candidate, baseline)

    assert suite_mean(candidate, baseline).standard_error ** 2 * 30 == pytest.approx(
        parts.of_difference(4, 4) - parts.between
    )


def test_equal_trials_are_a_point():
    """Arithmetic, not certainty: the verdict widens it."""
    found = suite_mean([[1, 1], [0, 0, 0]], [[0, 0], [0, 0]])

    assert (found.value, found.standard_error, found.degrees) == (0.5, 0.0, 5)
    assert suite_interval([[1, 1], [0, 0, 0]], [[0, 0], [0, 0]]).low == 0.5


@pytest.mark.parametrize(("cases", "trials"), [(5, 2), (40, 2), (40, 5)])
def test_coverage_for_these_cases(cases, trials):
    """1500 repetitions of a suite whose cases pass with chances of their own: 90 % hold its mean, rather more."""
    random = np.random.default_rng(cases * trials)
    candidate, baseline = random.beta(2, 2, (cases, 1)), random.beta(2, 2, (cases, 1))
    truth, held = float((candidate - baseline).mean()), 0
    for _ in range(1500):
        ours, theirs = (random.random((cases, trials)) < rate for rate in (candidate, baseline))
        interval = suite_interval(ours, theirs)
        held += interval.low <= truth <= interval.high

    assert 0.88 <= held / 1500 <= 0.97


def test_one_trial_is_refused():
    """A single trial shows no spread."""
    with pytest.raises(ValueError, match=r"case 0 of the candidate has 1 trial; the spread between trials needs at"):
        suite_interval([[1]], [[0, 0]])
