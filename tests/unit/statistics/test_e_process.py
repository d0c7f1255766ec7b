"""Evidence that may be looked at after every observation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from pytest_llmval.statistics.sequential.e_process import anytime_p, e_process_binary, e_process_bounded

RATES = st.floats(0.02, 0.98)
RUNS = 4000
LONGEST = 200
MONTE_CARLO = 3 * math.sqrt(0.05 * 0.95 / RUNS)
"""Three standard errors of a share of 5 %."""


@pytest.mark.parametrize(("successes", "failures", "expected"), [(8, 0, 256 / 9), (10, 1, 15.515152)])
def test_two_sided_values(successes, failures, expected):
    """T25: the first equals `ville.BernoulliTest(.5)`; both are 2^n·B(s+1, f+1)."""
    assert e_process_binary(successes, failures) == pytest.approx(expected, rel=1e-7)
    assert e_process_binary(failures, successes) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("successes", "failures", "expected"), [(7, 0, 255 / 8), (8, 0, 511 / 9), (6, 0, 127 / 7), (10, 1, 30.931818)]
)
def test_one_sided_values(successes, failures, expected):
    """T25: 2^(n+1)·B(s+1, f+1)·I½(f+1, s+1); the other direction with the counts exchanged."""
    assert e_process_binary(successes, failures, alternative="greater") == pytest.approx(expected, rel=1e-7)
    assert e_process_binary(failures, successes, alternative="less") == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 7), (0.01, 9), (0.001, 13)])
def test_fewest_observations_of_one_kind(alpha, fewest):
    """T52: as many discordant pairs without a counterexample reach 1/α."""
    assert e_process_binary(fewest, 0, alternative="greater") >= 1 / alpha
    assert e_process_binary(fewest - 1, 0, alternative="greater") < 1 / alpha


@given(st.integers(0, 40), st.integers(0, 40), RATES)
def test_one_sided_value_is_the_mean_likelihood_ratio(successes, failures, null):
    """By quadrature over the rates of the alternative."""

    def ratio(rate):
        return (rate / null) ** successes * ((1 - rate) / (1 - null)) ** failures

    below, above = integrate.quad(ratio, 0, null)[0] / null, integrate.quad(ratio, null, 1)[0] / (1 - null)

    assert e_process_binary(successes, failures, null, "less") == pytest.approx(below, rel=1e-6)
    assert e_process_binary(successes, failures, null, "greater") == pytest.approx(above, rel=1e-6)
    both = null * below + (1 - null) * above
    assert e_process_binary(successes, failures, null) == pytest.approx(both, rel=1e-6)


def mean_value(rate, observations, **parameters):
    """Expected e-value after so many observations: the sum over all counts, each with its binomial chance."""
    return sum(
        math.comb(observations, s)
        * rate**s
        * (1 - rate) ** (observations - s)
        * e_process_binary(s, observations - s, **parameters)
        for s in range(observations + 1)
    )


@pytest.mark.parametrize("null", [0.5, 0.9, 0.2])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("observations", range(13))
def test_mean_under_the_null_is_one(observations, null, alternative):
    """Exact enumeration up to 12 observations: a fair game neither wins nor loses."""
    assert mean_value(null, observations, null=null, alternative=alternative) == pytest.approx(1, rel=1e-9)


@given(RATES, RATES, st.integers(0, 12))
def test_one_sided_mean_is_at_most_one_under_every_rate_of_the_null(rate, null, observations):
    """`less` doubts every rate of at least `null`, `greater` every rate of at most it."""
    alternative = "less" if rate >= null else "greater"

    assert mean_value(rate, observations, null=null, alternative=alternative) <= 1 + 1e-9


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_stopping_as_soon_as_it_is_convincing_keeps_the_error(alternative):
    """Simulation, seed 0: 200 looks at fair coins, one after each; naive looking errs in a quarter of the runs."""
    draws = np.random.default_rng(0).integers(0, 2, size=(RUNS, LONGEST))
    counts = np.cumsum(draws, axis=1)
    values = np.array(
        [
            [e_process_binary(s, t - s, alternative=alternative) if s <= t else 0.0 for s in range(LONGEST + 1)]
            for t in range(1, LONGEST + 1)
        ]
    )

    ever = (values[np.arange(LONGEST), counts] >= 20).any(axis=1)

    assert 0.01 < ever.mean() <= 0.05 + MONTE_CARLO


def test_ten_thousand_observations_do_not_overflow():
    """After 10,000 failures it is 2^10001·(1 − 2^-10001)/10001, beyond any float; after as many passes 1/10001."""
    assert e_process_binary(0, 10_000, alternative="less") == math.inf
    assert e_process_binary(10_000, 0, alternative="less") == pytest.approx(1 / 10_001, rel=1e-6)
    # Stirling: 2^n·B(s+1, f+1) = exp(2·n·0.01²)·√(π/(2·n)) to the order 1/n, for s = 0.51·n.
    expected = math.exp(2) * math.sqrt(math.pi / 20_000)
    assert e_process_binary(5_100, 4_900) == pytest.approx(expected, rel=1e-3)


@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(0.001, 0.999))
def test_exchanging_successes_and_failures_exchanges_the_directions(successes, failures, null):
    """Evidence for fewer successes is evidence for more failures."""
    less = e_process_binary(successes, failures, null, "less")

    assert e_process_binary(failures, successes, 1 - null, "greater") == pytest.approx(less, rel=1e-6)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("null", [1e-300, 1e-17, 1 - 2**-53])
def test_rates_at_the_edge_of_what_a_float_can_hold(null, alternative):
    """An e-value is never negative and never NaN."""
    assert e_process_binary(3, 5, null, alternative) >= 0


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.01, 0.99))
def test_a_capital_is_never_negative_and_directions_mirror(values, mean):
    """Betting on lower values of x is betting on higher values of 1 − x."""
    less = e_process_bounded(values, mean, alternative="less")
    mirrored = e_process_bounded([1 - value for value in values], 1 - mean, alternative="greater")

    assert less.shape == (len(values),)
    assert (less > 0).all()
    assert mirrored == pytest.approx(less, rel=1e-6)


def test_capital_by_hand():
    """Two values 0.9 and 0.4 against a mean of 0.5, level 0.05.

    Stakes: √(2·ln 20/(0.25·1·ln 2)) = 5.9, cut to ½/0.5 = 1; then μ̂₁ = (0.5 + 0.9)/2 = 0.7,
    σ̂²₁ = (0.25 + 0.04)/2 = 0.145 and √(5.99/(0.145·2·ln 3)) = 4.3, cut to 1.  So 1 + 0.4 = 1.4 and 1.4·(1 − 0.1).
    """
    assert e_process_bounded([0.9, 0.4], 0.5, alternative="greater") == pytest.approx([1.4, 1.26])
    assert e_process_bounded([0.9, 0.4], 0.5, alternative="less") == pytest.approx([0.6, 0.66])
    assert e_process_bounded([0.9, 0.4], 0.5) == pytest.approx([1.0, 0.96])


def test_stakes_fall_once_values_are_known_to_vary():
    """200 values of 0 and 1 in turn: σ̂² ≈ ¼, so the last stake is √(2·ln 20/(¼·200·ln 201)) = 0.150 to 2 %."""
    values = [0.0, 1.0] * 100

    path = e_process_bounded(values, 0.5, alternative="greater")

    assert path[-1] / path[-2] - 1 == pytest.approx(0.5 * 0.1503, rel=0.02)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize(("observations", "alpha"), [(1, 0.9), (4, 0.9), (7, 0.9), (7, 0.05)])
def test_mean_capital_under_the_null_is_one(observations, alpha, alternative):
    """Exact enumeration of all sequences of 0, 0.5 and 1 with mean 0.6: no stake knows the value it is set on.

    At the level 0.9 stakes are small and follow the variance from the second on; at 0.05 the first ones are cut.
    """
    chances = {0.0: 0.3, 0.5: 0.2, 1.0: 0.5}

    total = sum(
        math.prod(chances[value] for value in values)
        * e_process_bounded(values, 0.6, alternative=alternative, alpha=alpha)[-1]
        for values in itertools.product(chances, repeat=observations)
    )

    assert total == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_peeking_at_graded_values_keeps_the_error(alternative):
    """Simulation, seed 0: differences of beta-distributed scores in [-1, 1] with mean 0, looked at 200 times."""
    random = np.random.default_rng(0)
    draws = random.beta(2, 1, size=(RUNS, LONGEST)) - random.beta(2, 1, size=(RUNS, LONGEST))

    ever = [e_process_bounded(row, 0, alternative=alternative, bounds=(-1, 1)).max() >= 20 for row in draws]

    assert np.mean(ever) <= 0.05 + MONTE_CARLO


def test_a_loss_of_graded_values_is_found():
    """Simulation, seed 0: a mean loss of 0.2 with a spread of 0.3 is found within 200 values in nearly every run."""
    random = np.random.default_rng(0)
    draws = np.clip(random.normal(-0.2, 0.3, size=(200, LONGEST)), -1, 1)

    found = [e_process_bounded(row, 0, alternative="less", bounds=(-1, 1)).max() >= 20 for row in draws]

    assert np.mean(found) > 0.95


def test_p_value_after_any_look():
    """1 over the largest so far, never above 1."""
    assert anytime_p([0.2, 0.9]) == 1
    assert anytime_p(np.array([3.0, 40.0, 2.0])) == 1 / 40
    assert anytime_p(math.inf) == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: e_process_binary(-1, 0),
            r"successes=-1, failures=0, null=0.5; expected counts and a rate in \(0, 1\)",
        ),
        (lambda: e_process_binary(1, 0, 1), r"null=1; expected counts and a rate"),
        (lambda: e_process_binary(1, 0, 0.5, "lower"), r"alternative='lower'; expected one of 'two-sided', 'greater'"),
        (lambda: e_process_bounded([0.5], 0.5, alternative="up"), r"alternative='up'; expected one of"),
        (lambda: e_process_bounded([0.5], 1), r"mean=1, bounds=\(0.0, 1.0\); expected finite bounds and a mean inside"),
        (lambda: e_process_bounded([0.5, 1.5], 0.5), r"values outside the bounds \(0.0, 1.0\): \[1.5\]"),
        (lambda: e_process_bounded([math.nan], 0.5), r"values outside the bounds \(0.0, 1.0\): \[nan\]"),
        (lambda: e_process_bounded([0.5], 0.5, alpha=1), r"alpha=1; expected a level between 0 and 1"),
        (lambda: anytime_p([]), r"e_values=\[\]; expected at least one number of 0 or more"),
        (lambda: anytime_p([-1]), r"e_values=\[-1\]; expected"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, text):
    """The message names what was given and what would be right."""
    with pytest.raises(ValueError, match=text):
        call()
