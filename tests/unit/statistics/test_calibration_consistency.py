"""The consistency test: at its level for a calibrated model, and able to find one that is not."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from pytest_llmval.statistics.calibration.consistency import consistency, consistency_p, reliability
from pytest_llmval.statistics.calibration.power import calibration_power, required_calibration_cases


def beta(cases, seed):
    """Confidences as in numerics §4."""
    return np.random.default_rng(seed).beta(5, 1.5, cases)


def share_found(cases, excess, level=0.05, models=300):
    """Share of models, too sure by `excess`, that the test finds."""
    random = np.random.default_rng(7)
    found = 0
    for number in range(models):
        sure = beta(cases, number)
        right = random.random(cases) < np.maximum(sure - excess, 0)
        found += consistency_p(sure, right, resamples=199, seed=10_000 + number) <= level
    return found / models


@pytest.mark.parametrize(("cases", "level"), [(40, 0.05), (200, 0.05), (200, 0.2)])
def test_a_calibrated_model_fails_at_most_at_the_level(cases, level):
    """1500 perfect models: three standard errors above the level at most; a bar of 0.05 would fail 96 to 100 %."""
    assert share_found(cases, 0.0, level, models=1500) <= level + 3 * np.sqrt(level * (1 - level) / 1500)


@pytest.mark.parametrize(("cases", "excess", "least"), [(200, 0.15, 0.9), (500, 0.10, 0.9)])
def test_an_overconfident_model_is_found(cases, excess, least):
    """The positive control: what must fail does."""
    assert share_found(cases, excess, models=60) >= least


def test_one_bin_against_the_binomial_distribution():
    """All of confidence 0.8, 7 of 20 right: P(|hits − 16| ≥ 9) by summing the binomial distribution."""
    exact = sum(comb(20, hits) * 0.8**hits * 0.2 ** (20 - hits) for hits in range(21) if abs(hits - 16) >= 3.999)

    drawn = consistency_p([0.8] * 20, [1] * 12 + [0] * 8, resamples=20_000)

    assert drawn == pytest.approx(exact, abs=0.006)


def test_the_bar_is_where_the_test_rejects():
    """An error above it has p ≤ level, one that is not has more."""
    for seed in range(30):
        sure = beta(80, seed)
        right = np.random.default_rng(seed).random(80) < sure - 0.08
        found = consistency(sure, right, level=0.1, resamples=499)

        assert (found.error > found.bar) == (found.p <= 0.1)


def test_no_draw_can_reject_at_a_level_below_one_in_resamples():
    """With 19 draws the least p is 0.05, so that at 0.01 nothing is above the bar."""
    found = consistency([0.9] * 20, [0] * 20, level=0.01, resamples=19)

    assert (found.p, found.bar) == (0.05, 1.0)


def test_the_seed_decides():
    """The same seed, the same value, also when the draws do not fit at once."""
    sure = beta(300, 0)
    right = np.random.default_rng(0).random(300) < sure

    assert consistency_p(sure, right, seed=3) == consistency_p(sure, right, seed=3)
    assert consistency_p(sure, right, seed=3) != consistency_p(sure, right, seed=4)


def test_draws_in_pieces_are_the_same_draws(monkeypatch):
    """Memory bounds the pieces, not the result."""
    sure = beta(50, 0)
    whole = consistency(sure, [1] * 50)
    monkeypatch.setattr("pytest_llmval.statistics.calibration.consistency._CELLS_AT_ONCE", 700)

    assert consistency(sure, [1] * 50) == whole


def test_clusters_widen_what_chance_can_do():
    """Twenty answers to each of ten questions, right or wrong together: found as 200 cases, not as 10."""
    sure, questions = [0.8] * 200, [place // 20 for place in range(200)]
    right = [1] * 120 + [0] * 80

    assert consistency_p(sure, right) < 0.001
    assert consistency_p(sure, right, clusters=questions) > 0.05


def test_clusters_at_the_level():
    """Calibrated questions whose answers agree entirely: at most 5 % of 200 models fail, without clusters most."""
    random = np.random.default_rng(1)
    apart = together = 0
    questions = np.repeat(np.arange(15), 8)
    for number in range(200):
        sure = np.repeat(random.beta(5, 1.5, 15), 8)
        right = np.repeat(random.random(15), 8) < sure
        together += consistency_p(sure, right, clusters=questions.tolist(), resamples=99, seed=number) <= 0.05
        apart += consistency_p(sure, right, resamples=99, seed=number) <= 0.05

    assert together / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert apart / 200 > 0.5


def test_a_reliability_diagram():
    """Each bin with Wilson's interval of its accuracy, and the band of a calibrated model around its confidence."""
    sure = [0.6] * 50 + [0.9] * 50
    right = [1] * 30 + [0] * 20 + [1] * 30 + [0] * 20

    fair, wrong = reliability(sure, right, bins=2)

    assert (fair.bin.cases, fair.bin.accuracy, fair.bin.gap) == (50, 0.6, pytest.approx(0.0))
    assert (fair.interval.low, fair.interval.high) == pytest.approx(
        (0.4838, 0.7060), abs=1e-4
    )  # (0.6271 ∓ 0.1171)/1.0541
    assert fair.band.low <= fair.bin.accuracy <= fair.band.high
    assert wrong.bin.accuracy < wrong.band.low
    assert (wrong.band.low, wrong.band.high) == pytest.approx((0.82, 0.96), abs=0.021)  # binomial(50, 0.9), 5 and 95 %


def test_power_grows_as_measured():
    """Too sure by 0.059, Beta(5, 1.5): .20/.44/.74/.96 in numerics §4, whose excess had another shape; ours is even."""
    sure = beta(4000, 0)

    power = [calibration_power(sure, 0.059, cases=cases) for cases in (100, 200, 500, 1000)]

    assert power == sorted(power)
    assert power == pytest.approx([0.20, 0.44, 0.74, 0.96], abs=0.12)


@pytest.mark.parametrize("cases", [150, 400])
def test_power_is_that_of_the_test(cases):
    """The plan's normal draws against the test run on models that are too sure by 0.09."""
    planned = calibration_power(beta(4000, 0), 0.09, cases=cases)

    assert share_found(cases, 0.09, models=200) == pytest.approx(planned, abs=0.12)


def test_required_cases_are_just_enough():
    """One less would not be."""
    sure = beta(1000, 0)

    needed = required_calibration_cases(sure, 0.05)

    assert calibration_power(sure, 0.05, cases=needed) >= 0.8
    assert calibration_power(sure, 0.05, cases=needed - 1) < 0.8
    assert 800 < needed < 1100


def test_an_excess_that_no_confidence_can_have_is_never_found():
    """Confidences of 0 cannot be too high."""
    assert required_calibration_cases([0.0] * 50, 0.05) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: consistency([0.5], [1], resamples=0), r"resamples=0, level=0.05; expected at least 1 and a level"),
        (lambda: consistency([0.5], [1], level=1.0), r"level=1.0; expected at least 1 and a level in \(0, 1\)"),
        (lambda: consistency([0.5], [1], clusters=["a", "b"]), r"1 confidences but 2 clusters; expected one cluster a"),
        (lambda: calibration_power([0.5], 0.0), r"excess=0.0, level=0.05; expected numbers between 0 and 1"),
        (lambda: calibration_power([0.5], 0.1, cases=0), r"cases=0; expected at least 1"),
        (lambda: required_calibration_cases([0.5], 0.1, power=1.0), r"power=1.0; expected a number between 0 and 1"),
    ],
)
def test_impossible_parameters(call, message):
    """Each message says what is possible."""
    with pytest.raises(ValueError, match=message):
        call()
