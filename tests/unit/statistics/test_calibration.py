"""Calibration errors and proper scores: pinned definitions, by hand and against other implementations."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.calibration.bins import bins_of
from pytest_llmval.statistics.calibration.errors import (
    debiased_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
    overconfidence,
    root_mean_square_calibration_error,
)
from pytest_llmval.statistics.calibration.scores import (
    brier_binary,
    brier_decomposition,
    brier_multiclass,
    negative_log_likelihood,
)

# Written by oracles/calibration.py: scikit-learn 1.9.1 and torchmetrics 1.9.0 on the same answers.
ORACLE = json.loads((Path(__file__).parent / "oracles" / "calibration.json").read_text(encoding="utf-8"))
SURE, RIGHT = ORACLE["confidences"], ORACLE["correct"]
ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def brute_force(sure, right, bins):
    """Σ cases/N |accuracy − confidence| bin by bin, the edges written out."""
    total = 0.0
    for number in range(bins):
        own = [(c, y) for c, y in zip(sure, right, strict=True) if min(math.floor(c * bins), bins - 1) == number]
        if own:
            total += abs(sum(y for _, y in own) - sum(c for c, _ in own))
    return total / len(sure)


def test_errors_of_torchmetrics():
    """Its norms l1, l2 and max are our expected, root mean square and maximum errors, off the edges of bins."""
    assert expected_calibration_error(SURE, RIGHT) == pytest.approx(ORACLE["torchmetrics"]["l1"])
    assert root_mean_square_calibration_error(SURE, RIGHT) == pytest.approx(ORACLE["torchmetrics"]["l2"])
    assert maximum_calibration_error(SURE, RIGHT, fewest=1) == pytest.approx(ORACLE["torchmetrics"]["max"])


def test_scores_of_scikit_learn():
    """`brier_score_loss`, its multi-class form without halving, and `log_loss`."""
    assert brier_binary(SURE, RIGHT) == pytest.approx(ORACLE["brier_binary"])
    assert brier_multiclass(ORACLE["probabilities"], ORACLE["answers"]) == pytest.approx(ORACLE["brier_multiclass"])
    assert negative_log_likelihood(ORACLE["probabilities"], ORACLE["answers"]) == pytest.approx(ORACLE["log_loss"])


def test_the_curve_of_scikit_learn():
    """`calibration_curve` with 15 uniform bins."""
    found = bins_of(SURE, RIGHT)

    assert [each.accuracy for each in found] == pytest.approx(ORACLE["curve"]["accuracy"])
    assert [each.confidence for each in found] == pytest.approx(ORACLE["curve"]["confidence"])


@given(ANSWERS, st.integers(1, 20))
def test_expected_error_against_brute_force(answers, bins):
    """Whatever the confidences, those at 0, at 1 and on edges among them; and no bin loses a case."""
    sure, right = zip(*answers, strict=True)

    assert expected_calibration_error(sure, right, bins=bins) == pytest.approx(
        brute_force(sure, right, bins), abs=1e-12
    )
    for binning in ("width", "mass"):
        assert sum(each.cases for each in bins_of(sure, right, bins=bins, binning=binning)) == len(sure)


def test_edges_belong_to_the_bin_above():
    """[lo, hi), the last one closed: 1/2 in the second, 1 in no phantom third (torchmetrics#3510)."""
    found = bins_of([0.0, 0.49, 0.5, 1.0], [0, 0, 1, 1], bins=2)

    assert [(each.low, each.high, each.cases) for each in found] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


def test_certain_and_wrong_at_zero_and_one():
    """Neither end is dropped: sure and wrong is an error of 1, at 0 too (inspect_evals#2141)."""
    assert expected_calibration_error([1.0] * 4, [0] * 4) == 1.0
    assert expected_calibration_error([0.0] * 4, [1] * 4) == 1.0


def test_equal_mass_keeps_ties_together():
    """Ten cases in three bins, five of one confidence: they are not parted."""
    sure = [0.1, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.8, 0.9]

    found = bins_of(sure, [0, 1] * 5, bins=3, binning="mass")

    assert [(each.low, each.high, each.cases) for each in found] == [(0.1, 0.2, 2), (0.5, 0.5, 5), (0.7, 0.9, 3)]


def test_a_constant_confidence_is_one_bin():
    """Not none: an error of 0 would be made up (TrustLens#163)."""
    assert len(bins_of([0.9] * 30, [0] * 30, binning="mass")) == 1
    assert expected_calibration_error([0.9] * 30, [0] * 30, binning="mass") == pytest.approx(0.9)


def test_equal_mass_without_ties_is_an_even_split():
    """As numpy's `array_split` of the sorted cases."""
    sure = np.random.default_rng(0).permutation(np.linspace(0.01, 0.99, 47))

    found = bins_of(sure.tolist(), [1] * 47, bins=6, binning="mass")

    assert [each.cases for each in found] == [8, 8, 8, 8, 8, 7]


@given(ANSWERS)
def test_order_is_of_no_account(answers):
    """Calibration is a property of the set of answers."""
    forward, backward = zip(*answers, strict=True), zip(*answers[::-1], strict=True)
    ours, theirs = (expected_calibration_error(*side, binning="mass") for side in (forward, backward))

    assert ours == pytest.approx(theirs, abs=1e-12)


@given(ANSWERS)
def test_errors_bound_each_other(answers):
    """|overconfidence| ≤ expected ≤ root mean square ≤ maximum ≤ 1."""
    sure, right = zip(*answers, strict=True)
    errors = (
        abs(overconfidence(sure, right)),
        expected_calibration_error(sure, right),
        root_mean_square_calibration_error(sure, right),
        maximum_calibration_error(sure, right, fewest=1),
        1.0,
    )

    assert all(one <= other + 1e-9 for one, other in itertools.pairwise(errors))


def test_overconfidence_has_a_sign():
    """0.9 against 1/2 is 0.4 too sure; 0.1 against 1/2 as much too little."""
    assert overconfidence([0.9, 0.9], [1, 0]) == pytest.approx(0.4)
    assert overconfidence([0.1, 0.1], [1, 0]) == pytest.approx(-0.4)


def test_the_maximum_looks_at_full_bins_only():
    """One wild case is no calibration error; without a full bin there is none to name."""
    sure, right = [0.9] * 20 + [0.1], [1] * 18 + [0] * 2 + [1]

    assert maximum_calibration_error(sure, right) == pytest.approx(0.0, abs=1e-12)
    assert maximum_calibration_error(sure, right, fewest=1) == pytest.approx(0.9)
    with pytest.raises(ValueError, match=r"no bin has 30 cases; expected more cases, fewer bins or a smaller fewest="):
        maximum_calibration_error(sure, right, fewest=30)


def test_the_debiased_error_by_hand():
    """One bin: (3/4 − 0.75)² − (3/4 · 1/4)/3 = −0.0625."""
    assert debiased_calibration_error([0.75] * 4, [1, 1, 1, 0]) == pytest.approx(-0.0625)


def test_the_debiased_error_needs_two_cases_in_a_bin():
    """The chance part of a single case cannot be known."""
    with pytest.raises(ValueError, match=r"no bin has 2 cases; expected more cases or fewer bins"):
        debiased_calibration_error([0.1, 0.9], [0, 1])


@pytest.mark.parametrize(
    ("cases", "width", "mass", "above"),
    [(100, 0.096, 0.115, 1.0), (200, 0.069, 0.084, 0.96), (1000, 0.031, 0.037, 0.0)],
)
def test_a_perfect_model_has_an_error(cases, width, mass, above):
    """Confidences from Beta(5, 1.5), outcomes true to them: figures and the share above 0.05 of numerics §4 (e7)."""
    random = np.random.default_rng(cases)
    drawn = []
    for _ in range(150):
        sure = random.beta(5, 1.5, cases)
        right = random.random(cases) < sure
        drawn.append(
            [
                expected_calibration_error(sure, right),
                expected_calibration_error(sure, right, binning="mass"),
                debiased_calibration_error(sure, right),
            ]
        )
    by_width, by_mass, debiased = np.transpose(drawn)

    assert by_width.mean() == pytest.approx(width, rel=0.06)
    assert by_mass.mean() == pytest.approx(mass, rel=0.06)
    assert np.mean(by_mass > 0.05) == pytest.approx(above, abs=0.1)
    assert abs(debiased.mean()) < 3 * debiased.std() / math.sqrt(150)


@given(ANSWERS, st.integers(1, 20))
def test_the_parts_of_a_brier_score_add_up(answers, bins):
    """Reliability − resolution + uncertainty + within is the score, and no named part is negative."""
    sure, right = zip(*answers, strict=True)

    parts = brier_decomposition(sure, right, bins=bins)

    assert parts.score == pytest.approx(brier_binary(sure, right))
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0


def test_one_probability_a_bin_leaves_nothing_within():
    """Murphy's three parts by hand: (0.8 − 3/4)²/2 + (0.2 − 1/4)²/2, (1/4)², 1/4."""
    parts = brier_decomposition([0.8] * 4 + [0.2] * 4, [1, 1, 1, 0, 1, 0, 0, 0])

    assert parts.reliability == pytest.approx(0.0025)
    assert parts.resolution == pytest.approx(0.0625)
    assert parts.uncertainty == pytest.approx(0.25)
    assert parts.within == pytest.approx(0.0, abs=1e-12)


@given(ANSWERS)
def test_two_classes_count_twice(answers):
    """`brier_multiclass` of an event and its opposite is twice `brier_binary`; the log loss is that of the event."""
    rows = [[1 - sure, sure] for sure, _ in answers]
    answers_at = [int(right) for _, right in answers]

    assert brier_multiclass(rows, answers_at) == pytest.approx(2 * brier_binary(*zip(*answers, strict=True)))


def test_an_impossible_answer_costs_infinitely():
    """The log loss is unforgiving; the Brier score stays at its bound of 2."""
    assert negative_log_likelihood([[1.0, 0.0]], [1]) == math.inf
    assert brier_multiclass([[1.0, 0.0]], [1]) == 2.0


@pytest.mark.parametrize("score", [brier_multiclass, negative_log_likelihood])
@pytest.mark.parametrize(("truth", "said"), [(0.7, 0.9), (0.7, 0.5), (0.5, 0.45)])
def test_honesty_is_best(score, truth, said):
    """Proper: in expectation no other probability than the true one scores better."""

    def expected(probability):
        rows = [[1 - probability, probability]] * 100
        return score(rows, [1] * round(100 * truth) + [0] * round(100 * (1 - truth)))

    assert expected(truth) < expected(said)


@pytest.mark.parametrize(
    ("sure", "right", "message"),
    [
        ([], [], r"0 confidences, 0 outcomes; expected one outcome a confidence, and at least one"),
        ([0.5], [1, 0], r"1 confidences, 2 outcomes; expected one outcome a confidence"),
        ([1.2], [1], r"confidence .*1\.2.*; expected probabilities in \[0, 1\]"),
        ([math.nan], [1], r"confidence .*nan.*; expected probabilities in \[0, 1\]"),
        ([0.5], [0.5], r"outcome .*0\.5.*; expected 1 for a right answer and 0 for a wrong one"),
    ],
)
def test_columns_that_are_no_answers(sure, right, message):
    """No case is no calibrated model."""
    for measure in (expected_calibration_error, overconfidence, brier_binary):
        with pytest.raises(ValueError, match=message):
            measure(sure, right)


@pytest.mark.parametrize(
    ("rows", "answers", "message"),
    [
        (
            [[0.5, 0.4]],
            [0],
            r"row 0, \[0\.5, 0\.4\], of the probabilities; expected numbers of 0 or more that add up to 1",
        ),
        ([[1.5, -0.5]], [0], r"row 0, .*expected numbers of 0 or more"),
        ([[0.5, 0.5]], [2], r"answers=\[2\]; expected indices from 0 to 1"),
        ([[0.5, 0.5]], [0, 1], r"probabilities of shape \(1, 2\) and 2 answers; expected \[cases, classes\]"),
    ],
)
def test_rows_that_are_no_distributions(rows, answers, message):
    """The message names the row."""
    with pytest.raises(ValueError, match=message):
        brier_multiclass(rows, answers)


def test_impossible_bins():
    """The message lists the two kinds."""
    with pytest.raises(
        ValueError, match=r"bins=0, binning='width'; expected at least 1 bin, of equal 'width' or 'mass'"
    ):
        bins_of([0.5], [1], bins=0)
    with pytest.raises(ValueError, match=r"binning='quantile'; expected at least 1 bin"):
        bins_of([0.5], [1], binning="quantile")
