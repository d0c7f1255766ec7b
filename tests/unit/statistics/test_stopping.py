"""When repeated trials have shown that a pass rate lies below a bar, or reaches it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.statistics.sequential.e_process import e_process_binary
from pytest_llmval.statistics.sequential.stopping import (
    Finding,
    deciding_trials,
    fewest_trials,
    stopping_rule,
)

BARS = st.sampled_from([0.3, 0.5, 0.75, 0.8, 0.9, 0.95, 0.99]) | st.floats(0.05, 0.99)
TRIALS = st.integers(2, 80)
LEVELS = st.sampled_from([0.01, 0.05, 0.1])


def ends_of(rule):
    """Every end (passes, trials) the rule can come to, by walking all counts that stay open."""
    open_counts, found = {0}, []
    for t in range(1, rule.trials + 1):
        reached = {passes + passed for passes in open_counts for passed in (0, 1)}
        open_counts = {p for p in reached if rule.finding(p, t) is Finding.OPEN and t < rule.trials}
        found += [(passes, t) for passes in sorted(reached - open_counts)]
    return found


def walked_chances(rule, rate):
    """Chances of the findings, by adding up the chances of all paths, one trial after the other."""
    chances, found = {0: 1.0}, dict.fromkeys(Finding, 0.0)
    for t in range(1, rule.trials + 1):
        after = {}
        for passes, chance in chances.items():
            after[passes] = after.get(passes, 0) + chance * (1 - rate)
            after[passes + 1] = after.get(passes + 1, 0) + chance * rate
        chances = {}
        for passes, chance in after.items():
            finding = rule.finding(passes, t)
            if finding is Finding.OPEN and t < rule.trials:
                chances[passes] = chance
            else:
                found[finding] += chance
    return found


@given(BARS, TRIALS, LEVELS, st.floats(0, 1))
def test_chance_of_a_wrong_finding_is_at_most_alpha(bar, trials, alpha, rate):
    """Over all looks together, at the bar and at any rate on the wrong side of it."""
    rule = stopping_rule(bar, trials, alpha)

    assert rule.chances(max(bar, rate)).below <= alpha * (1 + 1e-6)
    assert rule.chances(min(bar, rate)).at_least <= alpha * (1 + 1e-6)


@given(BARS, TRIALS, st.floats(0, 1))
def test_chances_are_those_of_all_paths(bar, trials, rate):
    """Counted from log-counts of paths, and walked trial by trial."""
    rule = stopping_rule(bar, trials)

    found, walked = rule.chances(rate), walked_chances(rule, rate)

    assert found.below == pytest.approx(walked[Finding.BELOW], abs=1e-9)
    assert found.at_least == pytest.approx(walked[Finding.AT_LEAST], abs=1e-9)


def test_simulated_trials_end_as_computed():
    """Simulation, seed 0: 20,000 tests of at most 50 trials with a pass rate of 0.8 under a bar of 0.9."""
    rule = stopping_rule(0.9, 50)
    counts = np.cumsum(np.random.default_rng(0).random((20_000, 50)) < 0.8, axis=1)
    below = np.array(rule.below[1:]) >= counts

    found = below.any(axis=1)

    assert found.mean() == pytest.approx(rule.chances(0.8).below, abs=0.01)
    taken = np.where(found, below.argmax(axis=1) + 1, 50)
    assert taken.mean() == pytest.approx(rule.chances(0.8).trials, abs=0.2)


@example(bar=0.2653844425891746, trials=58, alpha=0.01)  # the test that looks once uses 0.01 up to its last percent
@given(BARS, TRIALS, LEVELS)
def test_looking_early_costs_no_count_at_the_last_trial(bar, trials, alpha):
    """What the exact test that looks once would find at the last trial, the rule finds too."""
    rule = stopping_rule(bar, trials, alpha)
    counts = np.arange(trials + 1)

    once_below = counts[stats.binom.cdf(counts, trials, bar) <= alpha]
    once_at_least = counts[stats.binom.sf(counts - 1, trials, bar) <= alpha]

    assert all(rule.finding(int(passes), trials) is Finding.BELOW for passes in once_below)
    assert all(rule.finding(int(passes), trials) is Finding.AT_LEAST for passes in once_at_least)


@given(BARS, st.integers(3, 60), LEVELS, st.data())
def test_trials_without_a_result_leave_the_level_as_it_is(bar, planned, alpha, data):
    """A rule that is cut where the results end keeps its early looks and spends what they left."""
    trials = data.draw(st.integers(2, planned - 1))
    rule = stopping_rule(bar, planned, alpha)

    cut = rule.cut(trials)

    assert cut.below[:-1] == rule.below[:trials]
    assert cut.at_least[:-1] == rule.at_least[:trials]
    assert cut.below[-1] >= rule.below[trials]
    assert cut.at_least[-1] <= rule.at_least[trials]
    assert cut.chances(bar).below <= alpha * (1 + 1e-6)
    assert cut.chances(bar).at_least <= alpha * (1 + 1e-6)


def test_a_bar_of_one_is_not_reached_by_some_of_the_trials():
    """A rule for 20 trials that ends after 19 has not seen all of them pass."""
    rule = stopping_rule(1, 20).cut(19)

    assert rule.finding(19, 19) is Finding.OPEN
    assert rule.finding(18, 19) is Finding.BELOW


@pytest.mark.parametrize("trials", [20, 30, 50, 100])
@pytest.mark.parametrize("bar", [0.5, 0.8, 0.9, 0.95])
def test_power_is_that_of_the_test_that_looks_once(bar, trials):
    """At rates on either side, up to runs that stop early on the wrong side of a rate near the bar."""
    rule = stopping_rule(bar, trials)
    counts = np.arange(trials + 1)
    below = np.sum(stats.binom.cdf(counts, trials, bar) <= 0.05) - 1
    at_least = trials + 1 - np.sum(stats.binom.sf(counts - 1, trials, bar) <= 0.05)

    for rate in (bar - 0.3, bar - 0.2, bar - 0.1):
        assert rule.chances(rate).below >= stats.binom.cdf(below, trials, rate) - 1e-4
    for share in (0.3, 0.6, 0.9):
        rate = bar + (1 - bar) * share
        assert rule.chances(rate).at_least >= stats.binom.sf(at_least - 1, trials, rate) - 1e-4


@given(BARS, TRIALS, LEVELS)
def test_before_the_last_trial_only_an_e_process_decides(bar, trials, alpha):
    """One that has used up no more than half of the level, in either direction."""
    rule = stopping_rule(bar, trials, alpha)

    for passes, ended in ends_of(rule):
        if ended < trials:
            direction = "less" if rule.finding(passes, ended) is Finding.BELOW else "greater"
            assert e_process_binary(passes, ended - passes, bar, direction) >= 2 / alpha * (1 - 1e-9)


def test_a_clear_case_ends_early():
    """A test that fails seven times in ten needs a fifth of its 50 trials to miss a bar of 0.9."""
    assert stopping_rule(0.9, 50).chances(0.3).trials < 10
    assert stopping_rule(0.5, 100).chances(0.95).trials < 15


@settings(max_examples=30)
@given(BARS, TRIALS)
def test_the_interval_and_the_finding_say_the_same(bar, trials):
    """An end of the interval passes the bar exactly when the rate is found to lie on the other side of it."""
    rule = stopping_rule(bar, trials)

    for passes, ended in ends_of(rule):
        interval, finding = rule.interval(passes, ended), rule.finding(passes, ended)
        if finding is Finding.BELOW:
            assert interval.high <= bar + 1e-9
        elif finding is Finding.AT_LEAST:
            assert interval.low >= bar - 1e-9
        else:
            assert interval.low <= bar + 1e-9
            assert interval.high >= bar - 1e-9


@given(BARS, st.integers(2, 40), st.floats(0.01, 0.99))
def test_the_interval_covers(bar, trials, rate):
    """Each end misses the true rate with a chance of at most 5 %, whatever the rate, although the trials may stop."""
    rule = stopping_rule(bar, trials)
    missed_above = missed_below = 0.0
    for passes, ended in ends_of(rule):
        interval = rule.interval(passes, ended)
        chance = end_chance(rule, passes, ended, rate)
        missed_above += chance if interval.high < rate else 0.0
        missed_below += chance if interval.low > rate else 0.0

    assert missed_above <= 0.05 + 1e-9
    assert missed_below <= 0.05 + 1e-9


def end_chance(rule, passes, ended, rate):
    """Chance of one end, by counting the paths to it."""
    ways = {0: 1}
    for t in range(1, ended + 1):
        after = {}
        for count, number in ways.items():
            after[count] = after.get(count, 0) + number
            after[count + 1] = after.get(count + 1, 0) + number
        ways = {p: n for p, n in after.items() if t == ended or rule.finding(p, t) is Finding.OPEN}
    return ways[passes] * rate**passes * (1 - rate) ** (ended - passes)


def test_interval_of_a_test_that_cannot_stop_early_is_exact():
    """With 5 trials and a bar of 0.5 no look before the last decides: Clopper and Pearson's, 4 of 5, 90 %.

    The bounds solve P(X ≥ 4) = 5·p⁴(1−p) + p⁵ = 0.05 and P(X ≤ 4) = 1 − p⁵ = 0.05.
    """
    rule = stopping_rule(0.5, 5)

    interval = rule.interval(4, 5)

    assert 5 * interval.low**4 * (1 - interval.low) + interval.low**5 == pytest.approx(0.05, abs=1e-9)
    assert interval.high == pytest.approx(0.95 ** (1 / 5), abs=1e-9)


@given(st.integers(1, 60), st.integers(0, 59))
def test_a_bar_of_one_is_decided_by_the_first_failure(trials, failing):
    """Or by all trials, none of which failed."""
    rule = stopping_rule(1, trials)

    for t in range(1, trials + 1):
        assert rule.finding(t - 1, t) is Finding.BELOW
        assert rule.finding(t, t) is (Finding.AT_LEAST if t == trials else Finding.OPEN)
    assert rule.interval(trials, trials).low == pytest.approx(0.05 ** (1 / trials), abs=1e-9)


@pytest.mark.parametrize(("bar", "trials"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.5, 5), (0.8, 14), (1, 1)])
def test_fewest_trials(bar, trials):
    """The smallest n with bar^n ≤ 0.05: 0.9^29 = 0.047, 0.95^59 = 0.048, 0.99^299 = 0.0495 (T53), 0.5^5 = 0.031."""
    assert fewest_trials(bar) == trials


@given(BARS, LEVELS)
def test_fewest_trials_are_enough_and_fewer_are_not(bar, alpha):
    """With so many trials the rule can find that the bar is reached, with one less it cannot."""
    fewest = fewest_trials(bar, alpha)

    assert stopping_rule(bar, fewest, alpha).finding(fewest, fewest) is Finding.AT_LEAST
    if fewest > 1:
        assert stopping_rule(bar, fewest - 1, alpha).chances(1.0).at_least == 0


def test_trials_that_would_decide():
    """30 trials, 27 of them passed, bar 0.8: P(X ≥ 45 | 50, 0.8) = 0.048, and with 40 trials still 0.076."""
    assert deciding_trials(27, 30, 0.8) == 50
    assert stats.binom.sf(44, 50, 0.8) == pytest.approx(0.048, abs=5e-4)
    assert deciding_trials(24, 30, 0.9) < 60
    assert deciding_trials(18, 20, 0.9) is None
    assert deciding_trials(20, 20, 0.9) == 29


def test_ten_thousand_trials_are_planned_in_a_moment():
    """Nothing overflows, and the level is used."""
    rule = stopping_rule(0.9, 10_000)

    assert 0.04 < rule.chances(0.9).below <= 0.05
    assert rule.finding(9_100, 10_000) is Finding.AT_LEAST


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: stopping_rule(0, 10), r"bar=0, alpha=0.05; expected a pass rate in \(0, 1\] and a one-sided level"),
        (lambda: stopping_rule(1.1, 10), r"bar=1.1, alpha=0.05; expected"),
        (lambda: stopping_rule(0.9, 10, 0.5), r"bar=0.9, alpha=0.5; expected"),
        (lambda: stopping_rule(0.9, 0), r"trials=0; expected at least 1"),
        (lambda: fewest_trials(0), r"bar=0, alpha=0.05; expected"),
        (lambda: stopping_rule(0.5, 5).interval(1, 3), r"passes=1, trials=3: the trials do not end there"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, text):
    """The message names what was given and what would be right."""
    with pytest.raises(ValueError, match=text):
        call()
