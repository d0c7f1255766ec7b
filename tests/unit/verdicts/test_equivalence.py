"""Two versions that score alike, to both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.verdict import Counts, Outcome

SEED = 20261121
ROUNDS = 400
MOST_WRONG = 0.05 + 3 * (0.05 * 0.95 / ROUNDS) ** 0.5
FAILED = Unscored("timed out", failed=True)
STEPS = np.linspace(-1, 1, 40)
"""Symmetric around the middle case, so that no difference is skewed and the interval is Student's."""


def changed(build, gained=0, lost=0, cases=300):
    """Candidate and baseline of passes and fails, of which some changed sides."""
    same = [1.0] * (cases - gained - lost)
    return build([1.0] * gained + [0.0] * lost + same), build([0.0] * gained + [1.0] * lost + same)


@pytest.mark.parametrize(
    ("gained", "lost", "outcome"),
    [
        (4, 4, Outcome.EQUIVALENT),
        (6, 0, Outcome.IMPROVED),
        (0, 6, Outcome.WORSE_WITHIN_MARGIN),
        (30, 5, Outcome.REGRESSED),
        (5, 30, Outcome.REGRESSED),
        (40, 38, Outcome.INCONCLUSIVE),
        (38, 40, Outcome.INCONCLUSIVE),
    ],
)
def test_outcomes_follow_both_ends(binary, gained, lost, outcome):
    """300 cases and 5 points. Significant is |gained − lost|/√(gained + lost) > 1.96, half of 5 % to either side."""
    verdict = decide_equivalence(*changed(binary, gained, lost))

    within = -0.05 < verdict.low <= verdict.high < 0.05
    significant = abs(gained - lost) / max(1, gained + lost) ** 0.5 > 1.96
    assert (verdict.outcome, verdict.kind, verdict.passed) == (outcome, "equivalent", within)
    assert (outcome is Outcome.REGRESSED) == (significant and not within)


@pytest.mark.parametrize("shift", np.linspace(-0.03, 0.03, 7))
@pytest.mark.parametrize("margin", [0.02, 0.03, 0.05])
def test_graded_scores_pass_two_one_sided_tests(graded, shift, margin):
    """It passes where statsmodels' paired TOST has p < .05."""
    baseline = 0.5 + 0.2 * STEPS
    candidate = baseline + shift + 0.05 * np.sin(20 * STEPS)

    verdict = decide_equivalence(graded(candidate), graded(baseline), margin=margin)

    p, *_ = ttost_paired(candidate, baseline, -margin, margin)
    assert verdict.passed == (p < 0.05)


@pytest.mark.parametrize("kind", ["binary", "graded"])
@pytest.mark.parametrize(("cases", "outcome"), [(1, "inconclusive"), (51, "inconclusive"), (52, "equivalent")])
def test_identical_outputs_need_52_cases(request, kind, cases, outcome):
    """T53, as for a loss alone: z²/(n + z²) to either side."""
    same = request.getfixturevalue(kind)([1.0] * cases)

    assert decide_equivalence(same, same).outcome == outcome


@pytest.mark.parametrize(
    ("gained", "lost", "reason"),
    [
        (4, 4, ""),
        (6, 0, "shown better, but within the margin of 5 pp"),
        (0, 6, "shown worse, but within the margin of 5 pp"),
        (30, 5, "shown better, and not shown to stay within the margin of 5 pp to both sides"),
        (5, 30, "shown worse, and not shown to stay within the margin of 5 pp to both sides"),
        (
            40,
            38,
            (
                "not shown alike: the interval reaches from -4.2 to +5.6 pp, not within the margin of 5 pp "
                "to both sides; about 380 cases would decide it if the difference stays the same"
            ),
        ),
    ],
)
def test_reasons(binary, gained, lost, reason):
    """The ends are Tango's; 1.645·√(78/300)/√n = .05 − .0067 = .0433 gives n = 375 by Wald's, a little narrower."""
    assert decide_equivalence(*changed(binary, gained, lost)).reason == reason


def test_a_loss_that_is_significant_alone_says_so(binary):
    """8 of 100 lost, none gained: z = 2.83, beyond 1.96 of this gate alone, not beyond 3.29. The ends are Tango's."""
    verdict = decide_equivalence(*changed(binary, lost=8, cases=100), alpha_adjusted=0.001)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("would be regressed alone (95% CI [-15.0, -4.0]); not at the level corrected")
    assert "(99.9% CI [-21.5, +2.6])" in verdict.reason


def test_a_difference_is_called_at_half_the_level_to_either_side(binary):
    """A z of 3/√3 = 1.73 is enough for a loss alone, too little where a gain fails as well."""
    gained = decide_equivalence(*changed(binary, gained=3, cases=50), margin=0.01)
    lost = decide_equivalence(*changed(binary, lost=3, cases=50), margin=0.01)

    assert (gained.outcome, lost.outcome) == (Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)


@pytest.mark.parametrize(("gained", "lost"), [(15, 14), (0, 5), (5, 0), (1, 0)])
def test_needed_cases_would_decide(binary, gained, lost):
    """As many cases as are said to be needed, rounded up to whole multiples of these, settle the gate."""
    verdict = decide_equivalence(*changed(binary, gained, lost, cases=60), margin=0.04, alpha_adjusted=0.01)
    assert verdict.outcome is Outcome.INCONCLUSIVE

    times = math.ceil(verdict.needed_cases / 60)
    more = changed(binary, gained * times, lost * times, cases=60 * times)

    assert times > 1
    assert decide_equivalence(*more, margin=0.04, alpha_adjusted=0.01).outcome is not Outcome.INCONCLUSIVE


def test_a_difference_as_large_as_the_margin_is_never_shown_alike(binary):
    """More cases would only show the difference."""
    verdict = decide_equivalence(*changed(binary, lost=2, cases=40))

    assert verdict.delta == -0.05
    assert verdict.reason.endswith(
        f"about {verdict.needed_cases} cases would decide it if the difference stays the same"
    )
    assert verdict.needed_cases == 77  # z = √(.05·n) > 1.96


def test_gains_that_crash_do_not_make_versions_alike(binary):
    """Five of 100 gained is a difference. When these five crash, what is left is identical, and proves nothing."""
    candidate, baseline = changed(binary, gained=5, cases=100)
    crashed = binary([FAILED] * 5 + [1.0] * 95)

    before, after = decide_equivalence(candidate, baseline), decide_equivalence(crashed, baseline)

    assert (before.outcome, after.outcome) == (Outcome.REGRESSED, Outcome.REGRESSED)
    assert after.counts == Counts(cases=100, compared=100, failed=5)
    assert after.delta == 0


def test_a_crash_is_as_uncertain_upwards_as_downwards(binary):
    """One crash where the baseline failed may hide a gain: 1 of 60 gained reaches 7.1 points by Tango."""
    baseline = binary([0.0] + [1.0] * 59)

    verdict = decide_equivalence(binary([FAILED] + [1.0] * 59), baseline)

    assert decide_equivalence(baseline, baseline).outcome is Outcome.EQUIVALENT
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the interval reaches from -4.4 to +7.1 pp" in verdict.reason


def test_a_must_pass_case_may_not_break(binary):
    """One of 300 lost: alike on the average."""
    candidate, baseline = changed(binary, lost=1)
    flagged = binary(candidate.values, must_pass=(True,) + (False,) * 299)

    verdict = decide_equivalence(flagged, baseline)

    assert decide_equivalence(candidate, baseline).outcome is Outcome.EQUIVALENT
    assert (verdict.outcome, verdict.reason) == (Outcome.REGRESSED, "must-pass case broke: 'c0'")


def test_too_much_lost_is_invalid(binary):
    """16 of 300 are more than 5 %."""
    candidate = binary([Unscored("judge gave no grade")] * 16 + [1.0] * 284)

    verdict = decide_equivalence(candidate, binary([1.0] * 300))

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "5.3% of the cases are lost, more than 5% (0 failed, 16 unscored, 0 missing of 300)"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60), st.floats(0, 0.5))
def test_the_sides_may_be_swapped(graded, pairs, margin):
    """Alike is alike in both directions; better and worse change places."""
    mirror = {Outcome.IMPROVED: Outcome.WORSE_WITHIN_MARGIN, Outcome.WORSE_WITHIN_MARGIN: Outcome.IMPROVED}
    candidate, baseline = (graded(values) for values in zip(*pairs, strict=True))

    forth = decide_equivalence(candidate, baseline, margin=margin)
    back = decide_equivalence(baseline, candidate, margin=margin)

    assert back.outcome is mirror.get(forth.outcome, forth.outcome)


@pytest.mark.parametrize("margin", [-0.01, float("inf"), float("nan")])
def test_an_impossible_margin_is_refused(binary, margin):
    """As for a loss."""
    scores = binary([1.0])

    with pytest.raises(ValueError, match=rf"margin={margin}; expected 0 or more, in the unit of the metric"):
        decide_equivalence(scores, scores, margin=margin)


@pytest.mark.parametrize("shift", [-0.05, 0.05])
def test_a_difference_as_large_as_the_margin_rarely_passes(graded, shift):
    """To either side, with noise of 10 points."""
    random = np.random.default_rng(SEED)

    passed = 0
    for _ in range(ROUNDS):
        baseline = random.uniform(0.4, 0.6, 100)
        candidate = baseline + shift + random.normal(0, 0.1, 100)
        passed += decide_equivalence(graded(np.clip(candidate, 0, 1)), graded(baseline)).passed

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"


@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_two_runs_of_one_model_rarely_differ(request, kind):
    """With no margin at all significance alone decides, to both sides together at 5 %."""
    build, random = request.getfixturevalue(kind), np.random.default_rng(SEED)

    alarms = 0
    for _ in range(ROUNDS):
        draws = random.random((2, 100))
        candidate, baseline = (draws < 0.6).astype(float) if kind == "binary" else draws
        alarms += decide_equivalence(build(candidate), build(baseline), margin=0.0).outcome is Outcome.REGRESSED

    assert alarms / ROUNDS <= MOST_WRONG, f"seed {SEED}"
