"""Variance between cases and between trials of a case."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmval.statistics import VarianceComponents, paired_t_interval, required_n, variance_components
from pytest_llmval.statistics.quantiles import two_sided_t

TRIALS = st.integers(2, 4).flatmap(
    lambda trials: st.lists(
        st.tuples(*[st.lists(st.floats(-1, 1), min_size=trials, max_size=trials)] * 2), min_size=2, max_size=12
    )
)


def simulated(cases, seed, spread=0.2):
    """Graded scores with ω = ``spread`` between cases, σ = .3 and .4 within, and 2 to 6 trials a case."""
    random = np.random.default_rng(seed)
    effects = random.normal(0.1, spread, cases)
    candidate = [random.normal(effect, 0.3, random.integers(2, 7)) for effect in effects]
    return candidate, [random.normal(0, 0.4, random.integers(2, 7)) for _ in effects]


def test_two_cases_by_hand():
    """Differences 1/2 and −1: variance 9/8. s² = 1/2, 0 and 0, 1/2: of s²/K the mean is (1/4 + 1/4)/2 = 1/4."""
    found = variance_components([[1, 0], [0, 0]], [[0, 0], [1, 1]])

    assert (found.within_candidate, found.within_baseline, found.clipped) == (0.25, 0.0, False)
    assert found.between == pytest.approx(9 / 8 - 1 / 8)


def test_unequal_numbers_of_trials_by_hand():
    """s² = 1/2, 1/3 with 2 and 4 trials, none in the baseline: 1/4, 1/12, of which the mean 1/6 comes off."""
    found = variance_components([[1, 0], [1, 1, 1, 0]], [[0, 0], [0, 0]])

    assert found.within_candidate == pytest.approx(np.mean([1 / 2, 1 / 4]))
    assert found.between == pytest.approx(max(0.0, np.var([0.5, 0.75], ddof=1) - np.mean([1 / 4, 1 / 16])))


def test_known_components_are_found():
    """20 000 cases: ω² = .04, σ² = .09 and .16, to within 3 %."""
    found = variance_components(*simulated(20_000, seed=1))

    assert (found.between, found.within_candidate, found.within_baseline) == pytest.approx((0.04, 0.09, 0.16), rel=0.03)


def test_no_variance_between_cases_is_clipped_half_the_time():
    """Without a difference between cases the estimate lies around 0: it is set to 0, and says so."""
    found = [variance_components(*simulated(40, seed, spread=0.0)) for seed in range(200)]

    assert all(each.between == 0.0 for each in found if each.clipped)
    assert all(each.between > 0.0 for each in found if not each.clipped)
    assert np.mean([each.clipped for each in found]) == pytest.approx(0.5, abs=0.12)


@given(TRIALS)
def test_the_parts_add_up_to_the_spread_of_differences(rows):
    """With as many trials as there were, the variance of a difference is the one observed."""
    candidate, baseline = [row[0] for row in rows], [row[1] for row in rows]
    found, trials = variance_components(candidate, baseline), len(candidate[0])
    assume(not found.clipped)

    observed = np.var(np.mean(candidate, axis=1) - np.mean(baseline, axis=1), ddof=1)
    assert found.of_difference(trials, trials) == pytest.approx(observed, abs=1e-12)


@given(TRIALS)
def test_swapping_the_versions_swaps_their_parts(rows):
    """The variance between cases is blind to direction."""
    candidate, baseline = [row[0] for row in rows], [row[1] for row in rows]

    forth, back = variance_components(candidate, baseline), variance_components(baseline, candidate)

    assert (forth.within_candidate, forth.within_baseline) == (back.within_baseline, back.within_candidate)
    assert forth.between == pytest.approx(back.between, abs=1e-12)


def test_endless_trials_leave_the_variance_between_cases():
    """K → ∞: the standard error of the paired interval becomes √(ω²/n)."""
    random = np.random.default_rng(3)
    effects = random.normal(0, 0.2, 50)
    many = [random.normal(effect, 0.3, 20_000) for effect in effects]
    none = [[0.0, 0.0]] * 50

    found = variance_components(many, none)
    interval = paired_t_interval([trials.mean() for trials in many])

    error = (interval.high - interval.low) / 2 / two_sided_t(0.90, 49)
    assert error == pytest.approx(math.sqrt(found.between / 50), rel=1e-3)
    assert found.of_difference(10**9, 10**9) == pytest.approx(found.between, rel=1e-6)


def test_components_plan_unequal_trials():
    """Miller's ω² = 1/9, σ² = 1/6 on either side: one trial each needs 3876 cases, more of one side alone fewer."""
    parts = VarianceComponents(1 / 9, 1 / 6, 1 / 6, clipped=False)

    assert required_n(0.03, parts.of_difference()) == 3876
    assert required_n(0.03, parts.of_difference(10, 10)) == 1260
    assert 1260 < required_n(0.03, parts.of_difference(1, 10)) < 3876


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: variance_components([[1, 0]], [[0, 0]]), r"1 case; the spread between cases needs at least 2"),
        (
            lambda: variance_components([[1, 0], [1]], [[0, 0], [0, 0]]),
            r"case 1 of the candidate has 1 trial; the spread between trials needs at least 2",
        ),
        (
            lambda: variance_components([[1, 0], [1, 1]], [[], [0, 0]]),
            r"case 0 of the baseline has 0 trial; the spread between trials needs at least 2",
        ),
        (
            lambda: variance_components([[1, 0]], [[0, 0], [1, 1]]),
            r"1 cases of the candidate, 2 of the baseline; expected the same cases, at least 1",
        ),
        (lambda: variance_components([], []), r"0 cases of the candidate, 0 of the baseline"),
        (
            lambda: variance_components([[1, 0], [1, math.nan]], [[0, 0], [0, 0]]),
            r"a trial of the candidate has the value nan; expected finite numbers",
        ),
        (
            lambda: VarianceComponents(1, 1, 1, clipped=False).of_difference(0, 3),
            r"trials=\(0, 3\); expected at least 1 of each version",
        ),
    ],
)
def test_impossible_trials_are_refused(call, message):
    """Every message names the version and the case."""
    with pytest.raises(ValueError, match=message):
        call()
