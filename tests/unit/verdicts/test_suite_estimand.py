"""Gates over exactly these cases, where nothing varies but the trials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.statistics import suite_interval
from pytest_llmval.statistics.intervals import skewed_interval, t_interval
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.verdict import Outcome

SEED = 20261121
ROUNDS = 400
MOST_WRONG = 0.05 + 3 * (0.05 * 0.95 / ROUNDS) ** 0.5
FAILED = Unscored("timed out", failed=True)

# Two of four trials pass on either side, or all: no case is skewed.
COIN, SURE = (1.0, 0.0, 1.0, 0.0), (1.0, 1.0, 1.0, 1.0)
STEADY = "estimand='suite' judges by the noise between trials of a case, and "


def suite(decide, *sides, **parameters):
    """The verdict over exactly these cases."""
    return decide(*sides, estimand="suite", **parameters)


def test_only_the_noise_of_trials_counts(binary, asked_often):
    """Twenty coins of 4 flips on either side: SE² = 20·2·(1/3)/4 / 20² = .00833, and t with 20·2·3 = 120 degrees."""
    candidate, baseline = asked_often(binary, [COIN] * 20 + [SURE] * 20), asked_often(binary, [COIN] * 20 + [SURE] * 20)

    verdict = suite(decide_regression, candidate, baseline, margin=0.1)

    half = stats.t.ppf(0.95, 120) * (20 * 2 / 3 / 4) ** 0.5 / 40
    assert (verdict.low, verdict.high) == pytest.approx((-half, half))
    assert verdict.method == "suite_t"
    assert verdict.outcome is Outcome.EQUIVALENT


def test_a_spread_between_cases_does_not_count(graded, asked_often):
    """Half of the cases lose .4, half gain .36: −.02 over exactly these, anything over cases like these."""
    wobble = np.array([0.01, -0.01])
    baseline = [0.5 + wobble] * 40
    candidate = [0.1 + wobble] * 20 + [0.86 + wobble] * 20

    sides = asked_often(graded, candidate), asked_often(graded, baseline)

    assert suite(decide_regression, *sides).outcome is Outcome.WORSE_WITHIN_MARGIN
    assert decide_regression(*sides).outcome is Outcome.INCONCLUSIVE


def test_clusters_do_not_matter(binary, asked_often):
    """Nothing is a sample of anything: even one cluster is fine."""
    candidate = asked_often(binary, [COIN] * 40, clusters=("one",) * 40)

    verdict = suite(decide_regression, candidate, candidate, margin=0.2)

    assert verdict.outcome is Outcome.EQUIVALENT
    assert decide_regression(candidate, candidate).outcome is Outcome.INVALID


@pytest.mark.parametrize(("cases", "outcome"), [(25, Outcome.INCONCLUSIVE), (26, Outcome.EQUIVALENT)])
@pytest.mark.parametrize("decide", [decide_regression, decide_equivalence])
def test_agreeing_trials_are_no_certainty(binary, asked_often, decide, cases, outcome):
    """Two trials of 26 cases are 52 that could have shown a change, as many as it takes (T53)."""
    same = asked_often(binary, [[1, 1]] * cases)

    verdict = suite(decide, same, same)

    assert (verdict.outcome, verdict.method) == (outcome, "suite_t+score")
    assert verdict.needed_cases is None


def test_more_trials_are_asked_for_and_not_more_cases(binary, asked_often):
    """25 cases need 52/25 trials, that is 3 of each."""
    same = asked_often(binary, [[1, 1]] * 25)

    reason = suite(decide_regression, same, same).reason

    assert reason == (
        "not shown: the interval reaches -5.1 pp, not within the margin of 5 pp; "
        "about 3 trials of each case would decide it if the difference stays the same"
    )


@pytest.mark.parametrize(("loss", "trials"), [(0.5, 4), (0.25, 4)])
def test_a_large_loss_regresses_however_few_the_cases(binary, asked_often, loss, trials):
    """Twelve noisy cases of 24 that lose half, or a quarter, of their trials."""
    passes = round(trials * (1 - loss))
    worse = [[1.0] * passes + [0.0] * (trials - passes)] * 12
    candidate, baseline = asked_often(binary, worse + [SURE] * 12), asked_often(binary, [SURE] * 24)

    verdict = suite(decide_regression, candidate, baseline, margin=0.01)

    assert verdict.delta == pytest.approx(-loss / 2)
    assert verdict.outcome is Outcome.REGRESSED


def test_a_few_lost_trials_skew_the_interval(binary, asked_often):
    """Each of 12 cases loses one trial of 8: the lower end lies farther out than Student's, the upper one does not.

    A case's mean has variance 7/8 · 1/8 · 8/7 / 8 = 1/64 and third cumulant (7·(1/8)³ − (7/8)³)/(7·6·8) = −.00195.
    """
    candidate = asked_often(binary, [[0] + [1] * 7] * 12 + [[1] * 8] * 12)
    baseline = asked_often(binary, [[1] * 8] * 24)

    verdict = suite(decide_regression, candidate, baseline)

    error, degrees = (12 / 64) ** 0.5 / 24, 12 * 7
    skewness = 12 * ((7 / 8**3 - (7 / 8) ** 3) / (7 * 6 * 8)) / (12 / 64) ** 1.5
    student = t_interval(-1 / 16, error, degrees)
    expected = skewed_interval(-1 / 16, error, degrees, skewness * (degrees + 1) ** 0.5)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high))
    assert verdict.low < student.low < student.high == pytest.approx(verdict.high)


def test_a_shift_of_steady_answers_is_no_certainty(nats, asked_often):
    """All values near 2.3, all moved by .5, all trials equal: the interval is wider than nothing on both sides."""
    baseline = [[2.3 + 0.01 * (place % 3)] * 2 for place in range(30)]
    candidate = [[value + 0.5 for value in row] for row in baseline]

    forth = suite(decide_regression, asked_often(nats, candidate), asked_often(nats, baseline))
    back = suite(decide_regression, asked_often(nats, baseline), asked_often(nats, candidate))

    assert forth.low < -0.5 < forth.high
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))


def test_a_relative_margin_knows_that_the_baseline_is_uncertain_too(binary, asked_often):
    """It passes from the share r on at which the interval of candidate − (1 − r)·baseline lies above 0."""
    candidate, baseline = [COIN] * 30, [COIN] * 15 + [SURE] * 15
    share = brentq(lambda r: suite_interval(candidate, (1 - r) * np.array(baseline)).low, 0.1, 0.9)
    sides = asked_often(binary, candidate), asked_often(binary, baseline)

    wider, narrower = (suite(decide_regression, *sides, relative_margin=share * factor) for factor in (1.01, 0.99))

    assert (wider.outcome, narrower.outcome) == (Outcome.WORSE_WITHIN_MARGIN, Outcome.REGRESSED)
    assert wider.margin == pytest.approx(1.01 * share * 0.75)


@pytest.mark.parametrize(
    ("table", "who"),
    [
        ([[1.0]] * 30, "each was asked once"),
        ([[1.0, 1.0]] * 29 + [[1.0]], "'c29' was asked once"),
        ([[1.0, 1.0]] * 28 + [[1.0]] * 2, "'c28', 'c29' were asked once"),
    ],
)
@pytest.mark.parametrize("decide", [decide_regression, decide_improvement, decide_equivalence])
def test_single_trials_are_refused(graded, asked_often, decide, table, who):
    """One trial shows no noise."""
    often, once = asked_often(graded, [[1.0, 1.0]] * 30), asked_often(graded, table)

    for sides in ((often, once), (once, often)):
        verdict = suite(decide, *sides)
        assert (verdict.outcome, verdict.low) == (Outcome.INVALID, None)
        assert verdict.reason == f"{STEADY}{who}; expected cases(..., trials=2) or more"


def test_means_without_their_trials_are_refused(graded):
    """Scores made by hand may say that trials were averaged, and not keep them."""
    scores = graded([0.5] * 30, trials=3)

    for verdict in (suite(decide_regression, scores, scores), suite(decide_at_least, scores, 0.4)):
        assert verdict.reason == f"{STEADY}each was asked once; expected cases(..., trials=2) or more"


def test_another_estimand_is_refused(binary):
    """The message explains both."""
    scores = binary([1.0])
    message = r"estimand='x'; expected 'population' \(cases like these\) or 'suite' \(exactly these\)"

    for decide in (decide_regression, decide_improvement, decide_equivalence):
        with pytest.raises(ValueError, match=message):
            decide(scores, scores, estimand="x")
    with pytest.raises(ValueError, match=message):
        decide_at_least(scores, 0.5, estimand="x")


def test_weights_do_not_go_with_exactly_these_cases(nats):
    """A weighted mean stands for a corpus."""
    scores = nats([1.0], weights=(100.0,))

    with pytest.raises(ValueError, match=r"estimand='suite': cases that are weighted stand for others"):
        decide_regression(scores, scores, estimand="suite", weighted=True)


def test_a_case_that_failed_failed_in_every_trial(binary, asked_often):
    """One of 30 crashed: −1/30, and no better than any answer it could have given."""
    flips = [COIN] * 20 + [SURE] * 10
    baseline = asked_often(binary, flips)
    candidate = binary([*baseline.values[:-1], FAILED], trials=4, by_trial=(*baseline.by_trial[:-1], ()), kind="binary")

    before, after = suite(decide_regression, baseline, baseline), suite(decide_regression, candidate, baseline)

    assert after.delta == pytest.approx(-1 / 30)
    assert after.low < before.low


def test_the_only_noisy_case_does_not_help_by_crashing(graded, asked_often):
    """Right in one trial of four where the baseline never is: a gain, and nearly all of the noise.

    At the worst bound there would be neither, and the suite would look steadier than it is.
    """
    wobble = [[0.5, 0.51, 0.5, 0.51]] * 30
    baseline = asked_often(graded, [[0, 0, 0, 0], *wobble])
    noisy = asked_often(graded, [[0, 0, 0, 1], *wobble])
    crashed = graded((FAILED, *noisy.values[1:]), trials=4, by_trial=((), *noisy.by_trial[1:]))

    before, after = (suite(decide_regression, candidate, baseline) for candidate in (noisy, crashed))

    assert after.low <= before.low < suite(decide_regression, baseline, baseline).low


def test_a_bar_for_exactly_these_cases(binary, asked_often):
    """Twenty coins and twenty sure cases: .75, uncertain by t(60)·√(20/3/4)/40 = 1.6706 · .0323 = .0539."""
    scores = asked_often(binary, [COIN] * 20 + [SURE] * 20)

    reached, missed = suite(decide_at_least, scores, 0.69), suite(decide_at_least, scores, 0.81)
    unclear = suite(decide_at_least, scores, 0.74)

    assert (reached.low, reached.high) == pytest.approx((0.75 - 0.0539, 0.75 + 0.0539), abs=1e-4)
    assert (reached.outcome, missed.outcome) == (Outcome.EQUIVALENT, Outcome.REGRESSED)
    assert unclear.outcome is Outcome.INCONCLUSIVE
    assert unclear.reason.endswith("trials of each case would decide it if the value stays the same")
    assert unclear.needed_cases is None


def test_a_bar_of_a_metric_where_lower_is_better(nats, asked_often):
    """The mirror: 2.0 to 2.2 nats with noise of .1 between two trials."""
    scores = asked_often(nats, [[2.0, 2.2]] * 20)

    assert suite(decide_at_most, scores, 2.2).outcome is Outcome.EQUIVALENT
    assert suite(decide_at_most, scores, 2.0).outcome is Outcome.REGRESSED


@pytest.mark.parametrize("trials", [2, 3])
def test_a_loss_as_large_as_the_margin_rarely_passes(binary, asked_often, trials):
    """Fixed cases, each with a chance of its own, of which the candidate has 8 points less: at most 5 % pass."""
    random = np.random.default_rng(SEED)
    chances = random.uniform(0.1, 1, 60)[:, None]

    passed = 0
    for _ in range(ROUNDS):
        candidate, baseline = (random.random((60, trials)) < chances - loss for loss in (0.08, 0))
        passed += suite(
            decide_regression, asked_often(binary, candidate), asked_often(binary, baseline), margin=0.08
        ).passed

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"


def test_rare_lost_trials_rarely_pass(binary, asked_often):
    """A steady suite of 40, of which the candidate loses one trial in twenty: 5 points, the margin."""
    random, baseline = np.random.default_rng(SEED), asked_often(binary, [[1] * 3] * 40)

    passed = sum(
        suite(decide_regression, asked_often(binary, random.random((40, 3)) >= 0.05), baseline).passed
        for _ in range(ROUNDS)
    )

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"


@pytest.mark.parametrize("decide", [decide_regression, decide_equivalence])
def test_two_runs_of_one_model_rarely_differ(binary, asked_often, decide):
    """Without a margin only chance decides: at most 5 % of alarms."""
    random = np.random.default_rng(SEED)
    chances = random.uniform(0, 1, 40)[:, None]

    alarms = 0
    for _ in range(ROUNDS):
        sides = [asked_often(binary, random.random((40, 3)) < chances) for _ in range(2)]
        alarms += suite(decide, *sides, margin=0.0).outcome is Outcome.REGRESSED

    assert alarms / ROUNDS <= MOST_WRONG, f"seed {SEED}"
