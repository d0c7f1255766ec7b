"""Cases that may not break."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import Outcome

FLAGS = (True,) + (False,) * 299
FAILED = Unscored("timed out", failed=True)


def test_a_broken_case_decides_whatever_the_average(binary):
    """One of 300 lost, twenty gained: improved on average, regressed all the same."""
    baseline = binary([1.0] + [0.0] * 20 + [1.0] * 279, must_pass=FLAGS)

    verdict = decide_regression(binary([0.0] + [1.0] * 299, must_pass=FLAGS), baseline)

    assert verdict.low > 0
    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.reason == "must-pass case broke: 'c0'"


def test_several_broken_cases_are_named(binary):
    """Three names and the number of the others; the other reason follows."""
    flags = (True,) * 300

    verdict = decide_regression(binary([0.0] * 30 + [1.0] * 270, must_pass=flags), binary([1.0] * 300))

    assert verdict.reason == (
        "must-pass cases broke: 'c0', 'c1', 'c2' and 27 more; "
        "shown worse, and not shown to stay within the margin of 5 pp"
    )


def test_a_crash_breaks_a_case(binary):
    """No answer is no pass."""
    verdict = decide_regression(binary([FAILED] + [1.0] * 299, must_pass=FLAGS), binary([1.0] * 300))

    assert verdict.outcome is Outcome.REGRESSED


def test_a_case_the_baseline_did_not_pass_cannot_break(binary):
    """It was wrong before."""
    wrong_before = binary([0.0] + [1.0] * 299, must_pass=FLAGS)

    assert decide_regression(wrong_before, wrong_before).outcome is Outcome.EQUIVALENT


@pytest.mark.parametrize(("value", "outcome"), [(0.85, Outcome.EQUIVALENT), (0.84, Outcome.REGRESSED)])
def test_a_graded_case_breaks_beyond_the_margin(graded, value, outcome):
    """From .9 to .85 is within a margin of .05, although .9 - .85 is a little more in floating point."""
    baseline = graded([0.9] * 300)

    verdict = decide_regression(graded([value] + [0.9] * 299, must_pass=FLAGS), baseline)

    assert verdict.outcome is outcome


@pytest.mark.parametrize("decide", [decide_regression, lambda scores, _: decide_at_least(scores, 0.5)])
def test_a_case_without_a_score_cannot_pass_unseen(binary, decide):
    """Left out of the average, yet the gate does not pass."""
    candidate = binary([Unscored("judge gave no grade")] + [1.0] * 299, must_pass=FLAGS)

    verdict = decide(candidate, binary([1.0] * 300))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "not shown: must-pass case has no score: 'c0'"


def test_an_invalid_gate_still_names_the_broken_case(binary):
    """Too much is lost to judge the average, which does not unbreak the case."""
    candidate = binary([0.0] + [FAILED] * 50 + [1.0] * 249, must_pass=FLAGS)

    verdict = decide_regression(candidate, binary([1.0] * 300))

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason.endswith("; must-pass case broke: 'c0'")


@pytest.mark.parametrize("value", [0.0, FAILED])
def test_a_binary_case_below_its_bar_fails_a_threshold(binary, value):
    """299 of 300 reach the bar of one half; the flagged one does not pass."""
    verdict = decide_at_least(binary([value] + [1.0] * 299, must_pass=FLAGS), 0.5)

    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.reason == "must-pass case broke: 'c0'"


def test_a_failure_that_cannot_be_counted_is_not_called_broken(nats):
    """Without a worst bound nobody can say by how much; the gate is invalid anyway."""
    verdict = decide_regression(nats([FAILED] + [2.0] * 299, must_pass=FLAGS), nats([2.0] * 300))

    assert verdict.outcome is Outcome.INVALID
    assert "must-pass" not in verdict.reason
