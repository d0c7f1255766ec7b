"""Rates and means corrected for the errors of a judge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmval.statistics import clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.agreement.judge_correction import (
    JudgeCounts,
    corrected_rate,
    prediction_powered_mean,
    rogan_gladen,
)

# T37 gives labels and the beginning of the judgements, 1011; the rest follows from its nine figures up to order: one
# false positive and one false negative among ten, and 20 of 30 other cases called positive.
LABELS = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0]
JUDGED = [1, 0, 1, 1, 1, 0, 0, 1, 1, 0]
JUDGED_ONLY = [1] * 20 + [0] * 10

shares = st.floats(0, 1)


def test_known_errors_reproduce_the_survey():
    """T34: tp(20, 120, 0.9, 0.99) of R's RSurveillance: value, Wilson's and Clopper and Pearson's intervals."""
    rate, wilson, exact = 20 / 120, wilson_interval(20, 120), clopper_pearson_interval(20, 120)

    found = [rogan_gladen(x, 0.9, 0.99) for x in (rate, wilson.low, wilson.high, exact.low, exact.high)]

    assert found == pytest.approx([0.17603, 0.1129887, 0.2623065, 0.1066051, 0.2647191], abs=5e-6)


def test_known_errors_reproduce_the_herd():
    """T35: 23 of 150 cows, sensitivity 0.96, specificity 0.89: 5.1 of 100 have brucellosis (epiR, epi.prev)."""
    assert rogan_gladen(23 / 150, 0.96, 0.89) == pytest.approx(0.0509804, abs=5e-8)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((500, 1000, JudgeCounts(90, 100, 80, 100)), (0.428571, 0.336814, 0.512466)),
        # T36 ends in 0.786293: forty digits of decimal arithmetic give 0.7862924.
        ((300, 500, JudgeCounts(51, 60, 54, 60)), (0.666667, 0.568104, 0.786292)),
    ],
)
def test_estimated_errors_reproduce_the_published_code(arguments, expected):
    """T36: value and interval from a run of the code that R's asht publishes for Lang and Reiczigel (2014)."""
    corrected = corrected_rate(*arguments)

    found = (corrected.value, corrected.interval.low, corrected.interval.high)
    assert found == pytest.approx(expected, abs=5e-7)


@given(shares, st.floats(0.6, 1), st.floats(0.6, 1))
def test_the_correction_undoes_the_errors(true, sensitivity, specificity):
    """A rate found is true·Se + (1 − true)·(1 − Sp): from it the true one comes back."""
    found = true * sensitivity + (1 - true) * (1 - specificity)

    assert rogan_gladen(found, sensitivity, specificity) == pytest.approx(true, abs=1e-9)


@given(st.integers(0, 200), st.integers(35, 50), st.integers(35, 50), st.sampled_from([0.8, 0.95]))
def test_counting_the_opposite_mirrors_the_corrected_rate(flagged, caught, cleared, confidence):
    """Positive and negative are names: the rate of the other is one minus it, and so are the ends of the interval."""
    rate = corrected_rate(flagged, 200, JudgeCounts(caught, 50, cleared, 50), confidence)
    other = corrected_rate(200 - flagged, 200, JudgeCounts(cleared, 50, caught, 50), confidence)

    ends = (rate.value, rate.interval.low, rate.interval.high)
    assert ends == pytest.approx((1 - other.value, 1 - other.interval.high, 1 - other.interval.low), abs=1e-9)
    assert 0 <= rate.interval.low <= rate.interval.high <= 1


@given(st.integers(0, 300))
def test_a_judge_who_hardly_errs_leaves_wilsons_interval(flagged):
    """With a million of labels each and no error, what is left is the uncertainty of the rate."""
    certain = JudgeCounts(1_000_000, 1_000_000, 1_000_000, 1_000_000)

    interval, wilson = corrected_rate(flagged, 300, certain).interval, wilson_interval(flagged, 300)

    # The centre is Wilson's; its width is that of Agresti and Coull, which is a little more.
    assert interval.low <= wilson.low + 1e-5
    assert interval.high >= wilson.high - 1e-5
    assert interval.high - interval.low <= 1.35 * (wilson.high - wilson.low)


@pytest.mark.parametrize(
    ("weight", "used", "value", "low", "high"),
    [
        (0.0, 0.0, 0.6, 0.296364, 0.903636),
        (1.0, 1.0, 0.666667, 0.342191, 0.991142),
        (None, 0.45, 0.63, 0.368802, 0.891198),
    ],
)
def test_prediction_powered_mean_reproduces_the_published_package(weight, used, value, low, high):
    """T37: ppi_py 0.2.3 without, with full, and with the best weight of the judge.

    By hand, without: mean 0.6, √(0.24/10)·1.96 = 0.3036; in full: 20/30 + 0, √(0.2222/30 + 0.2/10)·1.96 = 0.3245.
    """
    powered = prediction_powered_mean(LABELS, JUDGED, JUDGED_ONLY, weight=weight)

    assert powered.weight == pytest.approx(used)
    assert (powered.value, powered.interval.low, powered.interval.high) == pytest.approx((value, low, high), abs=1e-6)


def test_the_best_weight_is_the_best():
    """A judge right on 90 % of 200 labelled and 2000 other cases, seed 5: no weight of a grid does better by 2 %."""
    random = np.random.default_rng(5)
    truth = random.random(2200) < 0.3
    judged = np.where(random.random(2200) < 0.9, truth, ~truth)

    def error(weight):
        return prediction_powered_mean(truth[:200], judged[:200], judged[200:], weight=weight).standard_error

    assert error(None) < 1.02 * min(error(step / 20) for step in range(21))
    assert error(None) < 0.75 * error(0.0)


def test_the_mean_covers_what_a_biased_judge_hides():
    """A judge who misses a third of the positives, 60 labels and 600 others: 95 % of 400 intervals hold the truth."""
    random, hits, judge_alone = np.random.default_rng(11), [], []
    for _ in range(400):
        truth = random.random(660) < 0.5
        judged = truth & (random.random(660) < 2 / 3)
        interval = prediction_powered_mean(truth[:60], judged[:60], judged[60:]).interval
        hits.append(interval.low <= 0.5 <= interval.high)
        judge_alone.append(abs(judged.mean() - 0.5) < 1.96 * math.sqrt(0.25 / 660))

    assert np.mean(hits) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 400)
    assert np.mean(judge_alone) == 0


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(-1, 1), shares)
def test_moving_all_judgements_moves_nothing(labels, shift, weight):
    """A judge who is too lenient by the same amount everywhere is corrected in full."""
    judged, others = [label / 2 for label in labels], [0.1, 0.4, -0.3]
    moved = [value + shift for value in judged], [value + shift for value in others]

    powered = prediction_powered_mean(labels, judged, others, weight=weight)

    assert prediction_powered_mean(labels, *moved, weight=weight).value == pytest.approx(powered.value, abs=1e-9)


def test_a_judge_who_always_says_the_same_is_not_relied_on():
    """Its judgements say nothing: the weight is 0 and the mean that of the labels."""
    powered = prediction_powered_mean([1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1])

    assert (powered.weight, powered.value) == (0.0, 0.25)


def test_swapping_versions_flips_the_sign():
    """For differences, candidate − baseline: exchanged, the interval is mirrored and as wide."""
    differences = [1, 0, -1, 0, 1, 1], [1, 0, -1, 1, 1, 0], [0, 0, 1, -1, 1]
    forth = prediction_powered_mean(*differences)
    back = prediction_powered_mean(*([-value for value in column] for column in differences))

    assert back.weight == pytest.approx(forth.weight)
    assert (back.interval.low, back.interval.high) == pytest.approx((-forth.interval.high, -forth.interval.low))


@given(shares, shares)
def test_a_judge_who_guesses_is_refused(sensitivity, rate):
    """Where sensitivity + specificity is near 1 the correction divides by next to nothing."""
    assume(sensitivity < 0.999)
    message = (
        r"sensitivity .* \+ specificity .* - 1 is .*: the judge hardly knows positives from negatives; expected at"
    )

    with pytest.raises(ValueError, match=message):
        rogan_gladen(rate, sensitivity, 1 - sensitivity)
    with pytest.raises(ValueError, match=message):
        corrected_rate(1, 2, JudgeCounts(50, 100, 55, 100))


@pytest.mark.parametrize("counts", [(3, 2, 1, 1), (0, 0, 1, 1), (1, 1, 0, 0), (-1, 2, 1, 1), (1, 1, 2, 1)])
def test_impossible_counts_are_refused(counts):
    """The message shows all four and names the rule."""
    with pytest.raises(ValueError, match=r"JudgeCounts\(caught=.*\); expected positives and negatives of at least 1"):
        JudgeCounts(*counts)


def test_impossible_arguments_are_refused():
    """Each message says what was given and what would be right."""
    with pytest.raises(ValueError, match=r"rate=1\.2, sensitivity=0\.9, specificity=0\.9; expected shares in \[0, 1\]"):
        rogan_gladen(1.2, 0.9, 0.9)
    with pytest.raises(ValueError, match="flagged=3, cases=2; expected at least 1 case, and no more flagged"):
        corrected_rate(3, 2, JudgeCounts(9, 10, 9, 10))
    with pytest.raises(ValueError, match="2 labels, 1 judgements of the same cases, 1 of others; expected at least 2"):
        prediction_powered_mean([1, 0], [1], [1])
    with pytest.raises(ValueError, match=r"weight=1\.5; expected a number from 0 to 1, or None for the best"):
        prediction_powered_mean([1, 0], [1, 0], [1], weight=1.5)
