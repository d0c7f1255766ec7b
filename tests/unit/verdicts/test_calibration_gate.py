"""The calibration gate: consistent confidences pass where the cases could have shown otherwise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_llmval import InvalidComparison, ModelRegression
from pytest_llmval.asserts import assert_calibrated
from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.scoring.calibration import Confidences
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.verdicts.calibration import decide_calibrated
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.verdict import Counts, Outcome


def answers(cases, excess=0.0, *, seed=0, **fields):
    """Confidences from Beta(5, 1.5), right in a share confidence − excess of cases."""
    random = np.random.default_rng(seed)
    sure = random.beta(5, 1.5, cases)
    right = (random.random(cases) < sure - excess).astype(float)
    ids = tuple(f"c{place}" for place in range(cases))
    return Confidences(
        Scores("sure", ids, tuple(sure.tolist()), version="v2", **fields),
        Scores("right", ids, tuple(right.tolist()), kind="binary", version="v2", **fields),
    )


def test_a_calibrated_model_with_enough_cases_passes():
    """2000 cases would have shown an excess of 0.05."""
    verdict = decide_calibrated(answers(2000))

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.kind == "calibrated"
    assert verdict.candidate < verdict.threshold
    assert verdict.evidence["statistics"]["power"] > 0.8


def test_an_overconfident_model_fails():
    """Too sure by 0.1: error, bar and direction are named, and the verdict is kept with the test."""
    test = TestInProgress("test_calibration")

    with in_progress(test), pytest.raises(ModelRegression) as failure:
        assert_calibrated(answers(500, 0.1))

    headline, reason = str(failure.value).splitlines()
    assert headline.startswith("calibration_error 0.1")
    assert headline.endswith("(p=0.0005, level 0.05, n=500, 15 bins of equal mass) for v2")
    assert ", a calibrated model stays below 0.0" in headline
    assert reason.startswith("shown miscalibrated: confidence 0.7")
    assert "too sure on average; most in [" in reason
    assert [verdict.outcome for verdict in test.verdicts] == [Outcome.REGRESSED]


def test_a_timid_model_fails_too():
    """Not sure enough by 0.15 is as wrong."""
    verdict = decide_calibrated(answers(500, -0.15))

    assert verdict.outcome is Outcome.REGRESSED
    assert "not sure enough on average" in verdict.reason


def test_few_cases_are_inconclusive():
    """Nothing found, and nothing could have been: the message says how many cases it takes."""
    verdict = decide_calibrated(answers(100))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert 700 < verdict.needed_cases < 1200
    assert verdict.reason == (
        f"not shown: a model too sure by 0.05 would be found with a chance of "
        f"{verdict.evidence['statistics']['power']:.0%} only; about {verdict.needed_cases} cases would make it 80%"
    )


def test_a_coarser_excess_needs_fewer_cases():
    """300 cases show an excess of 0.15, and the same cases not one of 0.02."""
    assert decide_calibrated(answers(300), detectable=0.15).passed
    assert not decide_calibrated(answers(300), detectable=0.02).passed


def test_the_level_is_kept():
    """Of 200 calibrated models at most 5 % and two standard errors fail."""
    failed = sum(decide_calibrated(answers(60, seed=seed)).outcome is Outcome.REGRESSED for seed in range(1000, 1200))

    assert failed / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_clusters_count_as_units():
    """600 cases of 60 questions that were right or wrong together do not show what 600 questions do."""
    groups = tuple(f"g{place // 10}" for place in range(600))

    apart, together = decide_calibrated(answers(600)), decide_calibrated(answers(600, clusters=groups))

    assert together.threshold > apart.threshold
    assert together.evidence["statistics"]["power"] < apart.evidence["statistics"]["power"]
    assert together.needed_cases % 10 == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([Unscored("no choices")] * 10, "no case has a confidence and an outcome"),
        (
            [Unscored("timed out", failed=True)] * 2 + [0.5] * 8,
            "20.0% of the cases are lost, more than 5% (2 failed, 0 unscored, 0 missing of 10)",
        ),
    ],
)
def test_lost_cases_make_it_invalid(values, reason):
    """What was not answered is not calibrated."""
    ids = tuple(f"c{place}" for place in range(10))
    given = Confidences(Scores("sure", ids, tuple(values)), Scores("right", ids, (1.0,) * 10, kind="binary"))

    with in_progress(TestInProgress("t")), pytest.raises(InvalidComparison) as refusal:
        assert_calibrated(given)

    assert str(refusal.value) == f"calibration_error cannot be decided\n{reason}"


def test_lost_cases_are_counted():
    """One of thirty is left out, and said."""
    given = answers(30)
    lost = Confidences(
        Scores("sure", given.confidence.ids, (Unscored("no"), *given.confidence.values[1:])), given.correct
    )

    assert decide_calibrated(lost).counts == Counts(30, 29, unscored=1)


def test_trials_that_do_not_agree():
    """Half right is no outcome."""
    ids = ("a", "b")
    given = Confidences(Scores("sure", ids, (0.5, 0.5)), Scores("right", ids, (0.5, 1.0), kind="binary", trials=2))

    assert decide_calibrated(given).reason == "the trials of a case do not agree on whether it is right: 'a'"


def test_too_few_clusters():
    """As in every gate."""
    given = answers(40, clusters=tuple("abcd" * 10))

    assert decide_calibrated(given).reason == "4 clusters; an interval needs at least 5"


@pytest.mark.parametrize("excess", [0.0, 0.15])
def test_the_verdict_follows_from_its_evidence(excess):
    """The draws are seeded, so it is the same verdict."""
    verdict = decide_calibrated(answers(200, excess))

    assert recompute(json.loads(json.dumps(verdict.evidence, allow_nan=False))) == verdict


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"level": 0.0}, r"level=0.0; expected a number between 0 and 1"),
        ({"detectable": 1.0}, r"detectable=1.0; expected a number between 0 and 1"),
        ({"power": 80}, r"power=80; expected a number between 0 and 1"),
        ({"bins": 0}, r"bins=0; expected at least 1"),
    ],
)
def test_impossible_parameters(parameters, message):
    """Every message names the parameter."""
    with pytest.raises(ValueError, match=message):
        decide_calibrated(answers(20), **parameters)


def test_scores_are_no_confidences():
    """The message names the function that makes them."""
    with pytest.raises(
        TypeError, match=r"expected confidences, for example choice_confidence\(responses\), got <sure of v2"
    ):
        assert_calibrated(answers(20).confidence)


@pytest.mark.parametrize(("cases", "outcome"), [(1, "inconclusive"), (6, "inconclusive"), (30, "inconclusive")])
def test_a_few_certain_answers_show_nothing(cases, outcome):
    """With an excess of 0.05 all of n answers are right with a chance of 0.95ⁿ, which is 0.21 at 30."""
    ids = tuple(f"c{place}" for place in range(cases))
    sure = Scores("sure", ids, (0.9999,) * cases, version="v2")
    right = Scores("right", ids, (1.0,) * cases, kind="binary", version="v2")

    assert decide_calibrated(Confidences(sure, right)).outcome == outcome
