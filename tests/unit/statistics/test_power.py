"""How many cases a gate needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from pytest_llmval.statistics import minimal_detectable_effect, required_n
from pytest_llmval.statistics.power import smallest_sufficient


@pytest.mark.parametrize(("trial_variance", "trials", "cases"), [(0, 1, 969), (1 / 6, 1, 3876), (1 / 6, 10, 1260)])
def test_required_n_reproduces_miller(trial_variance, trials, cases):
    """T18: E. Miller, arXiv:2411.00640, section 5: 968.997, 3875.99 and 1259.70 cases for δ = .03."""
    assert required_n(0.03, 1 / 9, trial_variance=trial_variance, trials=trials) == cases


@pytest.mark.parametrize(("trials", "effect"), [(1, 0.13273), (10, 0.07567)])
def test_minimal_effect_reproduces_miller(trials, effect):
    """T18: the same paper, 198 cases."""
    found = minimal_detectable_effect(198, 1 / 9, trial_variance=1 / 6, trials=trials)

    assert found == pytest.approx(effect, abs=5e-6)


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


def test_nothing_is_sufficient():
    """None when not even ten million are enough."""
    assert smallest_sufficient(lambda _: False) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: required_n(0, 1.0), r"effect=0: no number of cases shows a difference that is not there"),
        (
            lambda: required_n(0.1, -1.0),
            r"variance=-1.0, trial_variance=0.0, trials=1; expected variances of 0 or more",
        ),
        (lambda: required_n(0.1, 1.0, power=80), r"power=80; expected a number between 0 and 1, for example 0\.80"),
        (lambda: minimal_detectable_effect(0, 1.0), r"cases=0; expected at least 1"),
    ],
)
def test_impossible_plans_are_refused(call, message):
    """Every message names what was given and what would be right."""
    with pytest.raises(ValueError, match=message):
        call()
