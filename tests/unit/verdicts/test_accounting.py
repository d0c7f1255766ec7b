"""What becomes of cases that did not run: nothing counts as good, nothing is dropped in silence."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Counts, Outcome

FAILED = Unscored("server closed the connection", failed=True)
UNSCORED = Unscored("judge gave no grade")


def test_a_failed_candidate_counts_with_the_worst_bound(graded):
    """One failure of twenty lowers the mean by the baseline's value of that case, over all twenty."""
    verdict = decide_regression(graded([FAILED] + [0.8] * 19), graded([0.8] * 20))

    assert verdict.counts == Counts(cases=20, compared=20, failed=1)
    assert verdict.delta == pytest.approx(-0.8 / 20)


def test_a_failed_candidate_counts_with_the_highest_value_when_lower_is_better(graded):
    """The worst toxicity is 1: one failure of twenty raises the mean from .2 to .24."""
    toxicity = {"name": "toxicity", "higher_is_better": False}

    verdict = decide_regression(graded([FAILED] + [0.2] * 19, **toxicity), graded([0.2] * 20, **toxicity))

    assert verdict.candidate == pytest.approx(0.24)
    assert verdict.delta == pytest.approx(-0.04)


def test_a_case_the_candidate_lacks_counts_as_failed(graded):
    """A missing answer is not a dropped case."""
    verdict = decide_regression(graded([0.8] * 19), graded([0.8] * 20))

    assert verdict.counts == Counts(cases=20, compared=20, missing=1)
    assert verdict.delta == pytest.approx(-0.8 / 20)


@pytest.mark.parametrize(
    ("candidate", "baseline", "counts"),
    [
        ([UNSCORED] + [0.8] * 19, [0.8] * 20, Counts(cases=20, compared=19, unscored=1)),
        ([0.8] * 20, [UNSCORED] + [0.8] * 19, Counts(cases=20, compared=19, unscored=1)),
        ([0.8] * 20, [FAILED] + [0.8] * 19, Counts(cases=20, compared=19, unscored=1)),
        ([FAILED] + [0.8] * 19, [FAILED] + [0.8] * 19, Counts(cases=20, compared=19, unscored=1)),
        ([0.8] * 20, [0.8] * 19, Counts(cases=20, compared=19, missing=1)),
    ],
)
def test_other_cases_without_a_pair_are_left_out_and_counted(graded, candidate, baseline, counts):
    """Unscored on either side, or failed or absent in the baseline: no pair, no difference."""
    verdict = decide_regression(graded(candidate), graded(baseline))

    assert verdict.counts == counts
    assert verdict.delta == pytest.approx(0.0)


@pytest.mark.parametrize("lost", [FAILED, UNSCORED])
def test_five_percent_may_be_lost_and_not_more(graded, lost):
    """Exactly 5 of 100 is allowed, 6 of 100 is not."""
    baseline = graded([0.8] * 100)

    allowed = decide_regression(graded([lost] * 5 + [0.8] * 95), baseline)
    refused = decide_regression(graded([lost] * 6 + [0.8] * 94), baseline)

    assert allowed.outcome is not Outcome.INVALID
    assert refused.outcome is Outcome.INVALID


def test_too_many_lost_cases_are_counted_in_the_reason(graded):
    """The reason says how many of which sort."""
    candidate = graded([FAILED] * 2 + [UNSCORED] * 3 + [0.8] * 14)

    verdict = decide_regression(candidate, graded([0.8] * 20))

    assert verdict.reason == ("30.0% of the cases are lost, more than 5% (2 failed, 3 unscored, 1 missing of 20)")
    assert verdict.headline == "rouge_l cannot be decided"


def test_a_failure_without_a_worst_bound_is_invalid(nats):
    """Nothing bounds a perplexity, so a failed case cannot be counted, not even one of a hundred."""
    verdict = decide_regression(nats([FAILED] + [2.0] * 99), nats([2.0] * 100))

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "the candidate failed and the metric has no worst value to count: 'c0'"


def test_infinite_values_are_invalid(nats):
    """An infinite perplexity has no mean."""
    verdict = decide_regression(nats([float("inf")] + [2.0] * 99), nats([2.0] * 100))

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "infinite values have no mean: 'c0'"


def test_nothing_scored_is_invalid(graded):
    """No pair, no estimate; the reason says what happened instead."""
    verdict = decide_regression(graded([UNSCORED] * 3), graded([0.8] * 3))

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "no case has a score on both sides (0 failed, 3 unscored, 0 missing of 3)"


@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_failing_where_the_baseline_was_wrong_adds_no_evidence(request, kind):
    """51 identical cases are inconclusive; a crash on a case the baseline got wrong does not make the 52nd."""
    build = request.getfixturevalue(kind)
    baseline = build([1.0] * 51 + [0.0])

    verdict = decide_regression(build([1.0] * 51 + [FAILED]), baseline)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert decide_regression(baseline, baseline).outcome is Outcome.EQUIVALENT
