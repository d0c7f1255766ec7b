"""Confidence of chosen options, and the proper scores of their distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_llmval import Response, Scores, Unscored, assert_no_regression
from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.scoring.calibration import Confidences, choice_brier, choice_confidence, choice_nll
from pytest_llmval.scoring.calibration_report import calibration
from pytest_llmval.servers.exchange import Choice
from pytest_llmval.statistics.calibration.scores import brier_multiclass, negative_log_likelihood

TWO = {"choices": [("a", "b")], "answer": [1]}


def chosen(*probabilities, scale=1.0):
    """A response whose options have these probabilities, up to a common factor."""
    logprobs = tuple(math.log(each * scale) if each else -math.inf for each in probabilities)
    return Response(choice=Choice(logprobs.index(max(logprobs)), logprobs, (1,) * len(logprobs)))


def of_cases(count, answer=1, options=2):
    """Columns of a case set."""
    return {"choices": [tuple("abcdef"[:options])] * count, "answer": [answer] * count}


def test_confidence_is_the_share_of_the_chosen_option(responses_to):
    """0.3 and 0.1 of all texts there are make 75 % among the two options; right or wrong stands beside it."""
    answers = responses_to(chosen(0.1, 0.3), chosen(0.3, 0.1), cases=of_cases(2))

    found = choice_confidence(answers)

    assert found.confidence.values == pytest.approx((0.75, 0.75))
    assert found.correct.values == (1.0, 0.0)
    assert [case_id for case_id, *_ in found.paired] == ["c0", "c1"]
    assert found.confidence.version == "v1"


def test_long_options_do_not_underflow(responses_to):
    """Logprobs of −2000, whose exponentials are 0."""
    answers = responses_to(Response(choice=Choice(1, (-2000.0, -1999.0), (1, 1))), cases=TWO)

    assert choice_confidence(answers).confidence.values == pytest.approx((1 / (1 + math.exp(-1)),))


def test_brier_and_log_loss_by_hand(responses_to):
    """25 % and 75 %, the second is right: 2·0.25² = 0.125 and −ln 0.75."""
    answers = responses_to(chosen(0.25, 0.75), cases=TWO)

    assert choice_brier(answers).values == pytest.approx((0.125,))
    assert choice_nll(answers).values == pytest.approx((-math.log(0.75),))


def test_scores_say_what_they_are(responses_to):
    """Directions and bounds are what a gate reads."""
    answers = responses_to(chosen(0.25, 0.75), cases=TWO)
    brier, loss = choice_brier(answers), choice_nll(answers)

    assert (brier.name, brier.bounds, brier.kind, brier.higher_is_better) == (
        "choice_brier",
        (0.0, 2.0),
        "graded",
        False,
    )
    assert (loss.name, loss.bounds, loss.kind, loss.unit) == ("choice_nll", None, "unbounded", "nats")
    assert brier.basis.dataset == answers.case_set.label


def test_scores_are_those_of_statistics(responses_to):
    """The mean over cases is the pure function's."""
    random = np.random.default_rng(0)
    rows, answer = random.dirichlet([1, 1, 1], 20), random.integers(0, 3, 20).tolist()
    answers = responses_to(
        *(chosen(*row.tolist(), scale=0.01) for row in rows), cases=of_cases(20, options=3) | {"answer": answer}
    )

    assert choice_brier(answers).mean == pytest.approx(brier_multiclass(rows.tolist(), answer))
    assert choice_nll(answers).mean == pytest.approx(negative_log_likelihood(rows.tolist(), answer))


def test_an_option_thought_impossible(responses_to):
    """The Brier score stays at its bound; the log loss is infinite."""
    answers = responses_to(chosen(1.0, 0.0), cases=TWO)

    assert choice_brier(answers).values == (2.0,)
    assert choice_nll(answers).values == (math.inf,)


def test_all_options_impossible(responses_to):
    """No distribution: the model failed, which counts against a candidate."""
    answers = responses_to(Response(choice=Choice(0, (-math.inf, -math.inf), (1, 1))), cases=TWO)

    (value,) = choice_brier(answers).values

    assert value == Unscored("the logprobs of the options are (-inf, -inf); expected one that is finite", failed=True)
    assert choice_confidence(answers).paired == ()


@pytest.mark.parametrize("metric", [choice_brier, choice_nll, lambda answers: choice_confidence(answers).confidence])
def test_responses_without_choices(responses_to, metric):
    """A written answer has no distribution."""
    assert metric(responses_to("text")).values == (Unscored("the case has no choices"),)


def test_a_failed_response(responses_to):
    """It keeps its reason in both columns."""
    found = choice_confidence(responses_to(Response.failed("timed out"), cases=TWO))

    assert found.confidence.values == found.correct.values == (Unscored("timed out", failed=True),)


def test_an_iterator_is_read_once(responses_to):
    """Both columns are made of one pass."""
    answers = responses_to(chosen(0.1, 0.3), chosen(0.3, 0.1), cases=of_cases(2))

    assert len(choice_confidence(iter(answers)).paired) == 2


def test_paired_gates_see_a_lost_distribution(responses_to):
    """Accuracy is equal; the candidate is right with 60 instead of 90 %: Brier and log loss regress."""
    candidate = responses_to(*[chosen(0.4, 0.6)] * 40, cases=of_cases(40))
    baseline = responses_to(*[chosen(0.1, 0.9)] * 40, cases=of_cases(40))

    for metric in (choice_brier, choice_nll):
        with in_progress(TestInProgress("t")), pytest.raises(AssertionError, match="shown worse"):
            assert_no_regression(metric(candidate), metric(baseline))


def test_columns_of_other_cases_are_refused():
    """Confidence and outcome belong to one case."""
    with pytest.raises(ValueError, match=r"1 confidences, 2 outcomes; expected the same case ids"):
        Confidences(Scores("sure", ids=("a",), values=(0.5,)), Scores("right", ids=("a", "b"), values=(1, 0)))


def test_the_report(responses_to):
    """Eight of ten right at 90 %, one of ten at 60 %: all figures by hand."""
    right = [chosen(0.1, 0.9)] * 8 + [chosen(0.9, 0.1)] * 2 + [chosen(0.4, 0.6)] + [chosen(0.6, 0.4)] * 9
    answers = responses_to(*right, cases=of_cases(20))

    report = calibration(answers, bins=2)

    assert (report.cases, report.version) == (20, "v1")
    assert report.confidence == pytest.approx(0.75)
    assert report.accuracy == pytest.approx(0.45)
    assert report.overconfidence == pytest.approx(0.30)
    assert report.expected_error == pytest.approx(0.30)  # one bin from 0.5 to 1
    assert report.expected_error_mass == pytest.approx((0.1 + 0.5) / 2)
    assert report.consistency.p < 0.01
    assert [each.bin.cases for each in report.bins] == [10, 10]


def test_the_text_of_the_report():
    """Figures, the parts of the Brier score, and bins with a star where they leave the band."""
    ids = tuple(f"c{place}" for place in range(100))
    sure, right = [0.6] * 50 + [0.9] * 50, [1] * 30 + [0] * 20 + [1] * 30 + [0] * 20
    given = Confidences(Scores("sure", ids, tuple(sure)), Scores("right", ids, tuple(right), kind="binary"))

    lines = str(calibration(given, bins=2)).splitlines()

    assert lines[0] == "confidence 0.750, accuracy 0.600, overconfidence +0.150, n=100"
    assert lines[1].startswith("expected calibration error 0.150 (equal mass), 0.150 (equal width); a calibrated model")
    assert lines[2] == (
        "Brier 0.2850 = reliability 0.0225 - resolution 0.0000 + uncertainty 0.2400 + within bins 0.0225"
    )
    assert lines[3].startswith(
        "  [0.600, 0.600] n=50: confidence 0.600, accuracy 0.600 [0.484, 0.706], calibrated [0.4"
    )
    assert not lines[3].endswith("*")
    assert lines[4].endswith("*")


def test_a_report_of_nothing():
    """No figure is made up."""
    empty = Scores("sure", ids=("a",), values=(Unscored("no choices"),))

    with pytest.raises(ValueError, match=r"sure: no case has a confidence and an outcome"):
        calibration(Confidences(empty, Scores("right", ids=("a",), values=(1.0,))))
