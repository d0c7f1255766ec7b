"""How many cases a gate needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from pytest_llmval.statistics import minimal_detectable_effect, optimal_trials, required_n, required_n_binary
from pytest_llmval.statistics.power import smallest_sufficient


def test_required_n_agrees_with_statsmodels():
    """One sample of differences with known spread: NormalIndPower with ratio 0."""
    expected = NormalIndPower().solve_power(effect_size=0.3, alpha=0.05, power=0.8, ratio=0)

    assert expected <= required_n(0.3, 1.0) < expected + 1


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 1), st.integers(1, 20))
def test_required_cases_detect_the_effect(effect, variance, trial_variance, trials):
    """One function inverts the other, up to whole cases."""
    cases = required_n(effect, variance, trial_variance=trial_variance, trials=trials)

    found = minimal_detectable_effect(cases, variance, trial_variance=trial_variance, trials=trials)

    assert found <= effect * (1 + 1e-12)


@given(st.integers(1, 100_000), st.integers(1, 1000))
def test_smallest_sufficient_finds_the_first(first, start):
    """The first count that is enough, from the start on."""
    assert smallest_sufficient(lambda count: count >= first, start) == max(first, start)


@given(st.floats(0.02, 1), st.floats(0.01, 1), st.floats(1, 20))
def test_clusters_multiply_the_cases(effect, variance, design_effect):
    """Cases are worth 1/design effect of independent ones, both ways."""
    alone, grouped = required_n(effect, variance), required_n(effect, variance, design_effect=design_effect)

    assert (alone - 1) * design_effect <= grouped <= alone * design_effect + 1
    assert minimal_detectable_effect(400, variance, design_effect=design_effect) == pytest.approx(
        minimal_detectable_effect(400, variance) * design_effect**0.5
    )


def test_binary_plan_with_only_losses():
    """By hand, everything changed lost: (1.95996·√.1 + .84162·√(.1 − .01))²/.01 = 76.09."""
    assert required_n_binary(0.0, 0.1) == 77


@given(st.floats(0.01, 1), st.floats(0, 1), st.floats(0, 100), st.floats(0.1, 100))
def test_optimal_trials_are_the_cheapest(between, within, case_cost, trial_cost):
    """No other number of trials buys the same certainty for less."""

    def cost(trials):
        return (case_cost + trials * trial_cost) * (between + within / trials)

    best = optimal_trials(between, within, case_cost=case_cost, trial_cost=trial_cost)

    assert all(cost(best) <= cost(other) * (1 + 1e-12) for other in range(1, 2 * best + 10))


def test_trials_that_cost_as_much_as_a_case():
    """Two lines of arithmetic: √(.25/.04 · 10) = 7.9; with free cases one trial each is best."""
    assert optimal_trials(0.04, 0.25, case_cost=10, trial_cost=1) == 8
    assert optimal_trials(0.04, 0.25, case_cost=0, trial_cost=1) == 1


def test_nothing_is_sufficient():
    """None when not even ten million are enough."""
    assert smallest_sufficient(lambda _: False) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: required_n(0, 1.0), r"effect=0: no number of cases shows a difference that is not there"),
        (
            lambda: required_n(0.1, -1.0),
            r"variance=-1\.0, trial_variance=0\.0, trials=1, design_effect=1\.0; expected variances of 0 or more",
        ),
        (lambda: required_n(0.1, 1.0, design_effect=0), r"design_effect=0; expected .* an effect above 0"),
        (lambda: required_n(0.1, 1.0, power=80), r"power=80; expected a number between 0 and 1, for example 0\.80"),
        (lambda: minimal_detectable_effect(0, 1.0), r"cases=0; expected at least 1"),
        (lambda: required_n_binary(0.1, 0.1), r"effect=0: no number of cases shows a difference that is not there"),
        (
            lambda: required_n_binary(5, 10),
            r"gained_share=5, lost_share=10; expected shares of at most 1 together",
        ),
        (lambda: required_n_binary(-0.1, 0.2), r"gained_share=-0\.1, lost_share=0\.2; expected shares"),
        (lambda: required_n_binary(0.1, 0.2, power=80), r"power=80; expected a number between 0 and 1"),
        (
            lambda: optimal_trials(0.0, 1.0, case_cost=1, trial_cost=1),
            r"between=0\.0, within=1\.0, case_cost=1, trial_cost=1; expected between and trial_cost above 0",
        ),
    ],
)
def test_impossible_plans_are_refused(call, message):
    """Every message names what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        call()
