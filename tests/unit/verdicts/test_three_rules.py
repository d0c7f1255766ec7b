"""Relative margins, improvement and equivalence: the same comparison under other rules."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome

FAILED = Unscored("timed out", failed=True)
ORDER = (
    Outcome.INVALID,
    Outcome.REGRESSED,
    Outcome.INCONCLUSIVE,
    Outcome.WORSE_WITHIN_MARGIN,
    Outcome.EQUIVALENT,
    Outcome.IMPROVED,
)
RULES = {
    "absolute": decide_regression,
    "relative": lambda candidate, baseline: decide_regression(candidate, baseline, relative_margin=0.1),
    "improved": decide_improvement,
    "equivalent": decide_equivalence,
}
pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


def _changed(build, gained, lost, cases=300, **fields):
    """Binary scores of which some changed sides; all others pass on both."""
    same = cases - gained - lost
    return (
        build([1.0] * gained + [0.0] * lost + [1.0] * same, **fields),
        build([0.0] * gained + [1.0] * (lost + same), **fields),
    )


def test_a_relative_margin_is_a_contrast(graded):
    """What must be above 0 is d + r·baseline: the interval of scipy's t test of that column decides."""
    rng = np.random.default_rng(3)
    baseline = rng.uniform(0.2, 0.9, 200)
    candidate = np.clip(baseline * 0.96 + rng.normal(0, 0.05, 200), 0, 1)

    verdict = decide_regression(graded(candidate.tolist()), graded(baseline.tolist()), relative_margin=0.05)

    contrast = candidate - 0.95 * baseline
    low = stats.ttest_1samp(contrast, 0).confidence_interval(0.90).low
    assert low > 0
    assert verdict.outcome is Outcome.WORSE_WITHIN_MARGIN
    assert verdict.margin == pytest.approx(0.05 * baseline.mean())
    assert "but within the margin of 5% of the baseline, " in verdict.reason


def test_a_relative_margin_fails_what_loses_more(graded):
    """A tenth lost of everywhere the same size is not within 5 %; it is with 20 %."""
    baseline = [0.4 + 0.001 * place for place in range(200)]
    candidate = [value * 0.9 + 0.001 * (place % 3) for place, value in enumerate(baseline)]

    narrow, wide = (
        decide_regression(graded(candidate), graded(baseline), relative_margin=share) for share in (0.05, 0.2)
    )

    assert (narrow.outcome, wide.outcome) == (Outcome.REGRESSED, Outcome.WORSE_WITHIN_MARGIN)


def test_a_relative_margin_of_a_loss_that_is_better_when_lower(nats):
    """2 nats that become 2.02 are 1 % more: within 5 %, not within half a percent."""
    baseline = [2.0 + 0.01 * (place % 9) for place in range(200)]
    candidate = [value * 1.01 + 0.001 * (place % 5 - 2) for place, value in enumerate(baseline)]

    wide, narrow = (
        decide_regression(nats(candidate), nats(baseline), relative_margin=share) for share in (0.05, 0.005)
    )

    assert (wide.outcome, narrow.outcome) == (Outcome.WORSE_WITHIN_MARGIN, Outcome.REGRESSED)


@pytest.mark.parametrize("share", [0, 1, 2, -0.1, float("nan")])
def test_a_relative_margin_that_is_no_share_is_refused(graded, share):
    """The message says what a share is."""
    with pytest.raises(ValueError, match=r"relative_margin=.*; expected a share of the baseline between 0 and 1"):
        decide_regression(graded([0.5]), graded([0.5]), relative_margin=share)


@pytest.mark.parametrize(
    ("changed", "minimum", "outcome", "reason"),
    [
        ((20, 0), 0.0, Outcome.IMPROVED, ""),
        ((0, 20), 0.0, Outcome.REGRESSED, "shown worse"),
        ((0, 0), 0.0, Outcome.INCONCLUSIVE, "not shown better by more than 0 pp: the interval reaches -0.9 pp"),
        ((30, 0), 0.05, Outcome.IMPROVED, ""),
        ((5, 0), 0.05, Outcome.REGRESSED, "shown to improve by less than 5 pp"),
        ((20, 0), 0.05, Outcome.INCONCLUSIVE, "not shown better by more than 5 pp"),
    ],
)
def test_improvement_is_shown_or_not(binary, changed, minimum, outcome, reason):
    """By Tango's interval of 300 cases; identical answers never show an improvement."""
    verdict = decide_improvement(*_changed(binary, *changed), minimum=minimum)

    assert (verdict.kind, verdict.outcome) == ("improved", outcome)
    assert verdict.reason.startswith(reason)
    assert verdict.passed == (outcome is Outcome.IMPROVED)


@pytest.mark.parametrize("minimum", [-0.1, float("nan")])
def test_an_improvement_below_nothing_is_refused(binary, minimum):
    """A loss is tolerated by assert_no_regression."""
    with pytest.raises(ValueError, match="expected the gain to be exceeded, 0 or more"):
        decide_improvement(binary([1.0]), binary([1.0]), minimum=minimum)


@pytest.mark.parametrize(
    ("gained", "lost", "outcome"),
    [
        (2, 2, Outcome.EQUIVALENT),
        (7, 0, Outcome.IMPROVED),
        (0, 7, Outcome.WORSE_WITHIN_MARGIN),
        (40, 0, Outcome.REGRESSED),
        (0, 40, Outcome.REGRESSED),
        (35, 30, Outcome.INCONCLUSIVE),
    ],
)
def test_equivalence_looks_to_both_sides(binary, gained, lost, outcome):
    """Better by more than the margin is not alike either."""
    verdict = decide_equivalence(*_changed(binary, gained, lost))

    assert (verdict.kind, verdict.outcome) == ("equivalent", outcome)


def test_equivalence_says_to_which_side_it_differs(binary):
    """The reason names the side and the margin."""
    better = decide_equivalence(*_changed(binary, 40, 0))

    assert better.reason == "shown better, and not shown to stay within the margin of 5 pp to both sides"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["binary", "graded", "nats"])
@pytest.mark.parametrize("cases", [1, 5, 19])
def test_few_identical_cases_are_no_certainty(request, rule, kind, cases):
    """Below 20 cases nothing is shown, and the interval is no point."""
    same = request.getfixturevalue(kind)([1.0] * cases)

    verdict = RULES[rule](same, same)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.high > verdict.low


@pytest.mark.parametrize("rule", RULES)
def test_one_cluster_is_invalid(graded, rule):
    """A hundred paraphrases of one question are one thing asked."""
    same = graded([0.5] * 100, clusters=("a",) * 100)

    assert RULES[rule](same, same).outcome is Outcome.INVALID


@pytest.mark.parametrize("rule", ["absolute", "relative", "equivalent"])
@given(pairs)
def test_swapping_mirrors_difference_and_interval(graded, rule, drawn):
    """Under every rule the numbers are those of the same comparison."""
    candidate, baseline = (graded(column) for column in zip(*drawn, strict=True))

    forth, back = RULES[rule](candidate, baseline), RULES[rule](baseline, candidate)

    assert forth.delta == pytest.approx(-back.delta, abs=1e-9)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@given(pairs)
def test_equivalence_does_not_mind_the_order_of_the_sides(graded, drawn):
    """Improved and worse within change places, nothing else does."""
    candidate, baseline = (graded(column) for column in zip(*drawn, strict=True))
    mirrored = {Outcome.IMPROVED: Outcome.WORSE_WITHIN_MARGIN, Outcome.WORSE_WITHIN_MARGIN: Outcome.IMPROVED}

    forth, back = decide_equivalence(candidate, baseline), decide_equivalence(baseline, candidate)

    assert back.outcome is mirrored.get(forth.outcome, forth.outcome)


@pytest.mark.parametrize("rule", RULES)
@given(drawn=pairs, order=st.randoms(use_true_random=False))
def test_names_and_order_of_the_cases_change_nothing(graded, rule, drawn, order):
    """Cases are paired by id, and an id is only a name."""
    candidate, baseline = zip(*drawn, strict=True)
    places = list(range(len(drawn)))
    order.shuffle(places)
    renamed = [f"other {place}" for place in places]

    plain = RULES[rule](graded(candidate), graded(baseline))
    shuffled = RULES[rule](
        graded([candidate[place] for place in places], ids=renamed),
        graded([baseline[place] for place in places], ids=renamed),
    )

    assert shuffled.outcome is plain.outcome
    assert (shuffled.delta, shuffled.low, shuffled.high) == pytest.approx(
        (plain.delta, plain.low, plain.high), abs=1e-9
    )


@pytest.mark.parametrize("rule", RULES)
@given(drawn=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=30), copies=st.integers(2, 4))
def test_duplicates_within_a_cluster_raise_no_certainty(graded, rule, drawn, copies):
    """The same case again is nothing new: the interval gets no narrower."""
    candidate, baseline = zip(*drawn, strict=True)
    clusters = [f"g{place}" for place in range(len(drawn))]

    once = RULES[rule](graded(candidate, clusters=tuple(clusters)), graded(baseline, clusters=tuple(clusters)))
    again = RULES[rule](
        graded(candidate * copies, clusters=tuple(clusters * copies)),
        graded(baseline * copies, clusters=tuple(clusters * copies)),
    )

    assert again.high - again.low >= once.high - once.low - 1e-9


@pytest.mark.parametrize("rule", ["absolute", "relative", "improved"])
@given(drawn=pairs, failed=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_one_more_crash_never_improves(graded, rule, drawn, failed):
    """Neither the difference nor the outcome."""
    columns = [list(column) for column in zip(*drawn, strict=True)]

    before = RULES[rule](*map(graded, columns))
    after = RULES[rule](graded([*columns[0], *[FAILED] * len(failed)]), graded([*columns[1], *failed]))

    assert ORDER.index(after.outcome) <= ORDER.index(before.outcome)
    assert after.delta is None or after.delta <= before.delta + 1e-12


@given(drawn=pairs, failed=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_one_more_crash_never_makes_versions_alike(graded, drawn, failed):
    """Equivalence that was not shown is not shown by a crash, whichever side was better."""
    columns = [list(column) for column in zip(*drawn, strict=True)]

    before = decide_equivalence(*map(graded, columns))
    after = decide_equivalence(graded([*columns[0], *[FAILED] * len(failed)]), graded([*columns[1], *failed]))

    assert before.passed or not after.passed


@pytest.mark.parametrize("rule", RULES)
def test_a_verdict_follows_from_its_evidence(graded, rule):
    """Through JSON and back, and decided anew."""
    baseline = [0.4 + 0.005 * place for place in range(60)]
    verdict = RULES[rule](graded([value - 0.01 for value in baseline]), graded(baseline))

    read_back = verdict_from_dict(json.loads(json.dumps(verdict_to_dict(verdict))))

    assert read_back == verdict
    assert recompute(json.loads(json.dumps(verdict.evidence))) == verdict


def test_equal_size_under_no_loss_and_at_the_margin(graded):
    """2000 seeded suites each: 5 % may pass at the margin, 5 % may be called improved; se is .5 %."""
    rng, runs = np.random.default_rng(11), 1000
    passes = improved = differs = 0
    for _ in range(runs):
        baseline = rng.uniform(0.3, 0.9, 60)
        noise = rng.normal(0, 0.08, 60)
        at_margin = graded((baseline * 0.9 + noise * 0.5).clip(0, 1).tolist())
        alike = graded((baseline + noise).clip(0, 1).tolist())
        sides = graded(baseline.tolist())
        passes += decide_regression(at_margin, sides, relative_margin=0.1).passed
        improved += decide_improvement(alike, sides).passed
        differs += decide_equivalence(alike, sides).outcome is Outcome.REGRESSED

    assert max(passes, improved) / runs <= 0.05 + 3 * 0.007
    assert differs / runs <= 0.10


@pytest.mark.parametrize("clusters", [None, tuple(f"g{place % 12}" for place in range(60))])
@pytest.mark.parametrize("decide", [decide_regression, decide_equivalence])
def test_identical_answers_do_not_keep_a_tiny_relative_margin(graded, decide, clusters):
    """A loss of .1 % would have shown in no one of 60 cases; the values vary, the changes do not."""
    same = graded([0.3 + 0.01 * place for place in range(60)], clusters=clusters)

    verdict = decide(same, same, relative_margin=0.001)

    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("margin", [1, 5])
def test_a_margin_as_wide_as_the_metric_is_refused(graded, margin):
    """It would tolerate everything; somebody meant percentage points."""
    with pytest.raises(
        ValueError, match=rf"rouge_l: margin={margin}; expected less than its range \[0, 1\]; {margin} "
    ):
        decide_regression(graded([0.5]), graded([0.5]), margin=margin)
    with pytest.raises(ValueError, match=rf"rouge_l: minimum={margin}; expected less than its range"):
        decide_improvement(graded([0.5]), graded([0.5]), minimum=margin)


@pytest.mark.parametrize("margin", ["5%", True, None])
def test_a_margin_that_is_no_number_is_refused(graded, margin):
    """The message says what a margin is."""
    with pytest.raises(ValueError, match=r"margin=.*; expected 0 or more, in the unit of the metric"):
        decide_regression(graded([0.5]), graded([0.5]), margin=margin)


def test_a_baseline_that_cannot_fall_is_told(graded):
    """Nothing right before, nothing right now: not worse, and the gate says what that is worth."""
    nothing = graded([0.0] * 100)

    verdict = decide_regression(nothing, nothing)

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.reason == "the baseline's 0.000 could not fall by more than the margin: this gate cannot fail"
