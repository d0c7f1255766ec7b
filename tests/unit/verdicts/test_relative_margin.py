"""Margins as a share of what the baseline scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome

SEED = 20261121
ROUNDS = 600
MOST_WRONG = 0.05 + 3 * (0.05 * 0.95 / ROUNDS) ** 0.5
FAILED = Unscored("timed out", failed=True)

# Symmetric around the middle case, so that no difference is skewed and the interval is Student's.
STEPS = np.linspace(-1, 1, 40)
BASELINE = 0.6 + 0.2 * STEPS
CANDIDATE = 0.97 * BASELINE + 0.02 * np.sin(20 * STEPS)


def lower_end(values):
    """Of the mean, by scipy at 90 %."""
    return stats.ttest_1samp(values, 0).confidence_interval(0.90).low


def test_the_gate_is_the_test_of_candidate_minus_what_is_left_of_the_baseline(graded):
    """It passes from the share r on at which scipy's t interval of candidate − (1 − r)·baseline lies above 0."""
    share = brentq(lambda r: lower_end(CANDIDATE - (1 - r) * BASELINE), 0.01, 0.2)

    wider, narrower = (
        decide_regression(graded(CANDIDATE), graded(BASELINE), relative_margin=share * factor)
        for factor in (1.001, 0.999)
    )

    assert (wider.outcome, narrower.outcome) == (Outcome.WORSE_WITHIN_MARGIN, Outcome.REGRESSED)


def test_lower_is_better_tolerates_a_rise(nats):
    """A loss of 2 nats may rise by 2 % to 2.04: candidate − (1 + r)·baseline has to lie below 0."""
    baseline = 2 + 0.2 * STEPS
    candidate = 1.01 * baseline + 0.02 * np.sin(20 * STEPS)
    share = brentq(lambda r: lower_end((1 + r) * baseline - candidate), 0.001, 0.1)

    wider, narrower = (
        decide_regression(nats(candidate), nats(baseline), relative_margin=share * factor) for factor in (1.001, 0.999)
    )

    assert (wider.outcome, narrower.outcome) == (Outcome.WORSE_WITHIN_MARGIN, Outcome.REGRESSED)
    assert wider.margin == pytest.approx(2 * share * 1.001)


@pytest.mark.parametrize(
    ("scale", "noise", "outcome"),
    [
        (1.02, 0.02, Outcome.IMPROVED),
        (1.0, 0.02, Outcome.EQUIVALENT),
        (0.98, 0.02, Outcome.WORSE_WITHIN_MARGIN),
        (0.90, 0.02, Outcome.REGRESSED),
        (0.98, 0.2, Outcome.INCONCLUSIVE),
    ],
)
def test_outcomes_follow_the_share(graded, scale, noise, outcome):
    """5 % of a mean of .6 are 3 points; a sine of height .02 leaves the mean uncertain by ±.4 points, of .2 by ±4."""
    candidate = scale * BASELINE + noise * np.sin(20 * STEPS)

    verdict = decide_regression(graded(np.clip(candidate, 0, 1)), graded(BASELINE), relative_margin=0.05)

    assert verdict.outcome is outcome
    assert verdict.margin == pytest.approx(0.03)


def test_too_much_lost_is_invalid_and_names_no_margin(graded):
    """Without a baseline's mean a share of it is no number."""
    candidate = graded([FAILED] * 4 + [0.8] * 36)

    verdict = decide_regression(candidate, graded([0.8] * 40), relative_margin=0.05)

    assert (verdict.outcome, verdict.margin) == (Outcome.INVALID, None)


@pytest.mark.parametrize("kind", ["binary", "graded"])
@pytest.mark.parametrize(("cases", "outcome"), [(51, Outcome.INCONCLUSIVE), (52, Outcome.EQUIVALENT)])
def test_identical_outputs_need_52_cases(request, kind, cases, outcome):
    """5 % of 1.0 are 5 points, and need as many cases (T53): z²/(n + z²)·(.05 + .95) = .05 from n = 52 on."""
    same = request.getfixturevalue(kind)([1.0] * cases)

    assert decide_regression(same, same, relative_margin=0.05).outcome is outcome


def test_identical_outputs_that_vary_are_no_certainty(graded):
    """What varies is the baseline, not the change: a dozen equal answers show nothing, though r·baseline is spread."""
    same = graded(BASELINE[14:26])

    verdict = decide_regression(same, same, relative_margin=0.05)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("not shown: with the baseline's own uncertainty the interval reaches -1")
    assert "not within the margin of 5% of the baseline, 3 pp; about " in verdict.reason


def test_a_share_of_a_perfect_baseline_is_that_many_points(graded):
    """When every baseline value is 1, 4 % of it are 4 points for each case."""
    baseline, candidate = graded([1.0] * 60), graded([1 - 0.002 * (place % 31) for place in range(60)])

    relative = decide_regression(candidate, baseline, relative_margin=0.04)
    absolute = decide_regression(candidate, baseline, margin=0.04)

    assert (relative.outcome, relative.margin) == (absolute.outcome, absolute.margin)
    assert (relative.low, relative.high) == (absolute.low, absolute.high)


def test_a_share_speaks_of_the_mean_and_not_of_the_sizes(nats):
    """Values of ±1 around a mean of .1: 5 % are .005. Taken of each size they would be .05, and hide a loss of .015."""
    random = np.random.default_rng(SEED)
    baseline = np.tile([-0.9, 1.1], 100)
    candidate = baseline - 0.015 + random.normal(0, 0.01, 200)

    verdict = decide_regression(
        nats(candidate, higher_is_better=True), nats(baseline, higher_is_better=True), relative_margin=0.05
    )

    assert verdict.outcome is Outcome.REGRESSED


def test_a_negative_baseline_may_fall_by_its_share(nats):
    """A log-likelihood of −2 may fall by 5 % to −2.1."""
    baseline = -2 + 0.2 * STEPS
    better = {"higher_is_better": True, "name": "logprob"}

    within = decide_regression(nats(baseline - 0.05, **better), nats(baseline, **better), relative_margin=0.05)
    beyond = decide_regression(nats(baseline - 0.2, **better), nats(baseline, **better), relative_margin=0.05)

    assert (within.outcome, beyond.outcome) == (Outcome.WORSE_WITHIN_MARGIN, Outcome.REGRESSED)
    assert within.margin == pytest.approx(0.1)


@pytest.mark.parametrize("values", [[0.0] * 200, [1.0] + [0.0] * 199])
def test_a_share_of_nothing_is_nothing(graded, values):
    """Where the baseline is not shown to differ from 0 no loss is tolerated, and the reason says why."""
    verdict = decide_regression(graded(values), graded(values), relative_margin=0.5)

    assert (verdict.outcome, verdict.margin) == (Outcome.INCONCLUSIVE, 0)
    assert "within the margin of 50% of the baseline, not shown to differ from 0" in verdict.reason


def test_one_case_that_outweighs_all_does_not_make_a_margin(nats):
    """A single baseline value of 100 among ones: 1 % of the mean is shown for no other sample of cases."""
    baseline = [100.0] + [1.0] * 29
    candidate = [99.0] + [1 + 0.01 * (place % 5 - 2) for place in range(29)]
    better = {"higher_is_better": True}

    outcomes = {
        decide_regression(nats(candidate, **better), nats(baseline, **better), relative_margin=share).outcome
        for share in (0.01, 0.1, 0.5)
    }

    assert outcomes == {Outcome.INCONCLUSIVE}


def test_reasons_name_the_share_and_its_size(binary):
    """10 of 300 lost; the baseline is right on 240 of 300, and 10 % of .8 are 8 points."""
    baseline = binary([1.0] * 240 + [0.0] * 60)
    candidate = binary([0.0] * 10 + [1.0] * 230 + [0.0] * 60)

    within = decide_regression(candidate, baseline, relative_margin=0.1)
    beyond = decide_regression(candidate, baseline, relative_margin=0.01)

    assert within.reason == "shown worse, but within the margin of 10% of the baseline, 8 pp"
    assert beyond.reason == "shown worse, and not shown to stay within the margin of 1% of the baseline, 0.8 pp"
    assert (within.method, within.low) == ("tango", decide_regression(candidate, baseline).low)


def test_a_binary_gate_knows_rare_losses(binary):
    """24 of 60 wrong on both sides and 36 right on both: the 24 do not make the other 36 certain.

    5 % of .6 are 3 points. If one right answer in twenty is lost, none of 36 is with a chance of .95³⁶ = .158, and the
    gate must not pass then.
    """
    same = binary([1.0] * 36 + [0.0] * 24)

    assert decide_regression(same, same, relative_margin=0.05).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("value", "outcome"), [(0.885, Outcome.EQUIVALENT), (0.88, Outcome.REGRESSED)])
def test_a_must_pass_case_may_lose_the_share_of_its_own_value(graded, value, outcome):
    """2 % of .9 are .018: .885 is within, .88 is not."""
    flags, baseline = (True,) + (False,) * 299, graded([0.9] * 300)

    verdict = decide_regression(graded([value] + [0.9] * 299, must_pass=flags), baseline, relative_margin=0.02)

    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("scale", "outcome"),
    [
        (1.03, Outcome.IMPROVED),
        (1.08, Outcome.REGRESSED),
        (0.97, Outcome.WORSE_WITHIN_MARGIN),
        (1.0, Outcome.EQUIVALENT),
    ],
)
def test_alike_within_a_share_to_both_sides(graded, scale, outcome):
    """5 % to either side of a mean of .6, uncertain by ±.4 points."""
    candidate = scale * BASELINE + 0.02 * np.sin(20 * STEPS)

    assert decide_equivalence(graded(candidate), graded(BASELINE), relative_margin=0.05).outcome is outcome


@pytest.mark.parametrize("share", [2, 1, 0, -0.1, float("nan")])
@pytest.mark.parametrize("decide", [decide_regression, decide_equivalence])
def test_what_is_no_share_is_refused(graded, decide, share):
    """2 instead of 0.02 is the usual mistake."""
    scores = graded([0.5])
    message = rf"relative_margin={share}; expected a share of the baseline between 0 and 1, such as 0.02"

    with pytest.raises(ValueError, match=message):
        decide(scores, scores, relative_margin=share)


shares = st.sampled_from([0.01, 0.05, 0.2, 0.5, 0.9])
pairs = st.one_of(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60),
    st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=60),
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60),
)


@given(pairs, shares, shares, st.sampled_from([decide_regression, decide_equivalence]))
def test_a_wider_share_never_turns_a_pass_into_a_failure(nats, drawn, first, second, decide):
    """Tolerating more can only help, whatever the baseline."""
    candidate, baseline = (nats(values) for values in zip(*drawn, strict=True))

    narrow, wide = (decide(candidate, baseline, relative_margin=share(first, second)) for share in (min, max))

    assert wide.passed or not narrow.passed


@pytest.mark.parametrize("cases", [60, 200])
@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_a_loss_of_the_share_rarely_passes(request, kind, cases):
    """The baseline is right on 60 %, the candidate loses one right answer in ten: exactly 10 % of the baseline."""
    build, random = request.getfixturevalue(kind), np.random.default_rng(SEED)

    passed = 0
    for _ in range(ROUNDS):
        baseline = (random.random(cases) < 0.6).astype(float)
        candidate = baseline * (random.random(cases) >= 0.1)
        passed += decide_regression(build(candidate), build(baseline), relative_margin=0.1).passed

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"
