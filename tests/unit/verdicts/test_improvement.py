"""A gain, shown or not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.statistics import tango_interval
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.verdict import Outcome

SEED = 20261121
ROUNDS = 400
MOST_WRONG = 0.05 + 3 * (0.05 * 0.95 / ROUNDS) ** 0.5
FAILED = Unscored("timed out", failed=True)
STEPS = np.linspace(-1, 1, 40)
"""Symmetric around the middle case, so that no difference is skewed and the interval is Student's."""


def changed(build, gained=0, lost=0, cases=100):
    """Candidate and baseline of passes and fails, of which some changed sides."""
    same = [1.0] * (cases - gained - lost)
    return build([1.0] * gained + [0.0] * lost + same), build([0.0] * gained + [1.0] * lost + same)


@pytest.mark.parametrize(
    ("gained", "lost", "minimum", "outcome"),
    [
        (3, 0, 0.0, Outcome.IMPROVED),  # 3 / √3 = 1.73 > 1.645
        (2, 0, 0.0, Outcome.INCONCLUSIVE),  # 2 / √2 = 1.41
        (0, 3, 0.0, Outcome.REGRESSED),  # the mirror of the first
        (0, 2, 0.0, Outcome.INCONCLUSIVE),
        (20, 0, 0.05, Outcome.IMPROVED),  # the interval is [.142, .275]
        (20, 0, 0.15, Outcome.INCONCLUSIVE),
        (5, 0, 0.15, Outcome.REGRESSED),  # better, and shown not to be so by 15 points: up to .101
    ],
)
def test_outcomes_follow_the_interval(binary, gained, lost, minimum, outcome):
    """Without a minimum significance decides, by McNemar's z = (gained − lost)/√(gained + lost), Tango's at 0."""
    verdict = decide_improvement(*changed(binary, gained, lost), minimum=minimum)

    interval = tango_interval(gained, lost, 100, 0.90)
    assert (verdict.low, verdict.high) == (interval.low, interval.high)
    assert (verdict.outcome, verdict.kind, verdict.threshold, verdict.margin) == (outcome, "improved", minimum, None)


@pytest.mark.parametrize("gain", [0.03, 0.05])
def test_graded_scores_are_shown_by_the_t_test(graded, gain):
    """It passes where scipy's one-sided test of "more than the minimum" has p < .05."""
    baseline = 0.5 + 0.2 * STEPS
    candidate = baseline + gain + 0.1 * np.sin(20 * STEPS)

    verdict = decide_improvement(graded(candidate), graded(baseline), minimum=0.02)

    p = stats.ttest_1samp(candidate - baseline, 0.02, alternative="greater").pvalue
    assert verdict.passed == (p < 0.05) == (gain == 0.05)


def test_a_metric_where_lower_is_better_improves_by_falling(nats):
    """2.3 nats become 2.1: better by more than .1, and not by .3."""
    baseline = 2.3 + 0.2 * STEPS
    candidate = baseline - 0.2 + 0.05 * np.sin(20 * STEPS)

    enough = decide_improvement(nats(candidate), nats(baseline), minimum=0.1)
    too_little = decide_improvement(nats(candidate), nats(baseline), minimum=0.3)

    assert (enough.outcome, too_little.outcome) == (Outcome.IMPROVED, Outcome.REGRESSED)
    assert enough.delta == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("kind", ["binary", "graded", "nats"])
@pytest.mark.parametrize("cases", [1, 2, 19, 1000])
def test_identical_outputs_have_not_improved(request, kind, cases):
    """However many there are, and more of them would not help."""
    same = request.getfixturevalue(kind)([1.0] * cases)

    verdict = decide_improvement(same, same)

    assert (verdict.outcome, verdict.needed_cases) == (Outcome.INCONCLUSIVE, None)
    assert "; more cases would not decide it" in verdict.reason


@pytest.mark.parametrize(
    ("gained", "lost", "minimum", "reason"),
    [
        (20, 0, 0.05, ""),
        (0, 3, 0.0, "shown worse"),
        (5, 0, 0.15, "shown to improve by less than 15 pp"),
        (
            2,
            0,
            0.0,
            (
                "not shown better by more than 0 pp: the interval reaches -0.7 pp; "
                "about 136 cases would decide it if the difference stays the same"
            ),
        ),
    ],
)
def test_reasons(binary, gained, lost, minimum, reason):
    """2 of 100 gained: z = √(.02·n) exceeds 1.645 from n = 135.3 on."""
    assert decide_improvement(*changed(binary, gained, lost), minimum=minimum).reason == reason


def test_a_loss_that_is_significant_alone_is_inconclusive_among_many_gates(binary):
    """Three lost of 100, z = −3/√3 = −1.73: beyond −1.645, not beyond −2.33 at 1 %. The ends are Tango's."""
    verdict = decide_improvement(*changed(binary, lost=3), alpha_adjusted=0.01)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("would be regressed alone (90% CI [-7.3, -0.3]); not at the level corrected")


def test_needed_cases_would_show_it(binary):
    """As many cases with the same share of gains are enough; two fewer are not."""
    needed = decide_improvement(*changed(binary, gained=2)).needed_cases

    assert decide_improvement(*changed(binary, gained=round(0.02 * 150), cases=150)).passed
    assert 2 / 2**0.5 < 1.645 < (0.02 * needed) ** 0.5 < (0.02 * 138) ** 0.5


def test_a_must_pass_case_may_not_get_worse_by_the_way(graded):
    """Better on the average, and a little worse where it must not be."""
    flags, baseline = (True,) + (False,) * 99, graded([0.5] * 100)

    verdict = decide_improvement(graded([0.49] + [0.6] * 99, must_pass=flags), baseline)

    assert verdict.low > 0
    assert (verdict.outcome, verdict.reason) == (Outcome.REGRESSED, "must-pass case broke: 'c0'")


def test_a_must_pass_case_is_not_asked_to_improve(binary):
    """A minimum is asked of the mean: the flagged case may stay as it is."""
    candidate, baseline = changed(binary, gained=40)
    flagged = binary(candidate.values, must_pass=(False,) * 99 + (True,))

    assert decide_improvement(flagged, baseline, minimum=0.2).outcome is Outcome.IMPROVED


def test_failures_are_losses(binary):
    """Four gained and one crashed is 4 against 1: 3/√5 = 1.34, not 4/√4 = 2."""
    candidate, baseline = changed(binary, gained=4)
    crashed = binary([*candidate.values[:-1], FAILED])

    assert decide_improvement(candidate, baseline).outcome is Outcome.IMPROVED
    assert decide_improvement(crashed, baseline).outcome is Outcome.INCONCLUSIVE


def test_too_few_clusters_are_invalid(graded):
    """As for every gate."""
    clusters = tuple(f"g{place % 4}" for place in range(40))

    verdict = decide_improvement(graded([0.9] * 40, clusters=clusters), graded([0.1] * 40, clusters=clusters))

    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, "4 clusters; an interval needs at least 5")
    assert verdict.threshold == 0.0


@pytest.mark.parametrize("minimum", [-0.01, float("nan"), float("inf")])
def test_a_minimum_that_cannot_be_exceeded_is_refused(binary, minimum):
    """A negative one would be a margin: that is what assert_no_regression has."""
    scores = binary([1.0])
    message = rf"minimum={minimum}; expected the gain to be exceeded, 0 or more, in the unit of the metric"

    with pytest.raises(ValueError, match=message):
        decide_improvement(scores, scores, minimum=minimum)


def test_it_can_be_asked_again_with_another_minimum(binary):
    """From its evidence alone."""
    verdict = decide_improvement(*changed(binary, gained=20), minimum=0.15)

    assert not verdict.passed
    assert recompute(verdict.evidence, minimum=0.1).passed


@pytest.mark.parametrize("gain", [0.0, 0.05])
@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_a_gain_of_no_more_than_the_minimum_rarely_passes(request, kind, gain):
    """Two runs of one model, or one that wins exactly the minimum: at most 5 % pass."""
    build, random, cases = request.getfixturevalue(kind), np.random.default_rng(SEED), 100

    passed = 0
    for _ in range(ROUNDS):
        draws = random.random((2, cases)) if kind == "binary" else np.clip(random.normal(0.45, 0.1, (2, cases)), 0, 1)
        candidate, baseline = (draws < [[0.6 + gain], [0.6]]).astype(float) if kind == "binary" else draws
        candidate = candidate if kind == "binary" else candidate + gain
        passed += decide_improvement(build(candidate), build(baseline), minimum=gain).passed

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"
