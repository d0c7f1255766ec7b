"""The outcome of a comparison."""

from __future__ import annotations

import pytest
from scipy import stats

from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome


@pytest.mark.parametrize("kind", ["binary", "graded"])
@pytest.mark.parametrize(("cases", "outcome"), [(51, Outcome.INCONCLUSIVE), (52, Outcome.EQUIVALENT)])
def test_identical_outputs_need_52_cases(request, kind, cases, outcome):
    """T53: identical outputs are not certainty; a margin of .05 needs 52 cases, by Tango's bound."""
    same = request.getfixturevalue(kind)([1.0] * cases)

    verdict = decide_regression(same, same)

    assert verdict.outcome is outcome
    assert verdict.delta == 0
    assert verdict.needed_cases == (52 if cases == 51 else None)


def test_identical_unbounded_outputs_are_not_certain_either(nats):
    """The yardstick is the spread: the deviation of 50 values 0 and 50 values 2 is 1, times z²/(50 + z²) = .0513."""
    same = nats([0.0, 2.0] * 25)

    verdict = decide_regression(same, same, margin=0.05)

    assert verdict.low == pytest.approx(-0.0513332, abs=1e-6)
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("value", "spread"),
    [(2.0, 2.0), (0.0, 1.0)],
)
def test_unbounded_values_without_spread_are_measured_by_their_size(nats, value, spread):
    """Equal values have no spread: their size serves, and 1 when they are all 0."""
    same = nats([value] * 50)

    verdict = decide_regression(same, same)

    assert verdict.low == pytest.approx(-0.0513332 * spread, abs=1e-6)


@pytest.mark.parametrize(
    ("gained", "lost", "outcome"),
    [
        (0, 30, Outcome.REGRESSED),
        (20, 0, Outcome.IMPROVED),
        (5, 5, Outcome.EQUIVALENT),
        (0, 5, Outcome.WORSE_WITHIN_MARGIN),
        (10, 25, Outcome.REGRESSED),
        (30, 38, Outcome.INCONCLUSIVE),
    ],
)
def test_binary_outcomes_follow_the_interval(binary, gained, lost, outcome):
    """The rule of DESIGN section 6 for 300 cases and a margin of 5 points."""
    same = 300 - gained - lost
    baseline = binary([0.0] * gained + [1.0] * lost + [1.0] * same)
    candidate = binary([1.0] * gained + [0.0] * lost + [1.0] * same)

    verdict = decide_regression(candidate, baseline)

    assert (verdict.outcome, verdict.method) == (outcome, "tango")
    assert verdict.passed == outcome.passes


def test_graded_scores_take_the_t_interval(graded):
    """Forty differences in two sizes: the ends are those of scipy's paired t-test at 90 %."""
    baseline = [0.5 + 0.005 * place for place in range(40)]
    candidate = [value + (0.03 if place % 2 else -0.02) for place, value in enumerate(baseline)]

    verdict = decide_regression(graded(candidate), graded(baseline))

    expected = stats.ttest_rel(candidate, baseline).confidence_interval(0.90)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high))
    assert verdict.method == "t"


def test_repeated_trials_make_a_binary_metric_graded(binary):
    """Pass rates of ten trials are means, not passes."""
    rates = [0.1 * (place % 10) for place in range(40)]

    verdict = decide_regression(binary(rates, trials=10), binary(rates[::-1], trials=10))

    assert verdict.method == "t"


def test_lower_is_better_turns_the_sign(nats):
    """A perplexity that rises is a loss: the difference is negative, the values stay as they are."""
    baseline = [2.0 + 0.01 * place for place in range(100)]
    candidate = [value + 0.2 + 0.001 * (place % 7) for place, value in enumerate(baseline)]

    verdict = decide_regression(nats(candidate), nats(baseline))

    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.delta == pytest.approx(-0.203, abs=1e-3)
    assert verdict.candidate > verdict.baseline


def test_few_changed_cases_are_not_judged_by_their_spread(graded):
    """One case in sixty broke: t would allow a loss of 4.45 points at most, although 1/60 reaches 7.6 by Tango."""
    baseline = graded([1.0] * 60)

    verdict = decide_regression(graded([0.0] + [1.0] * 59), baseline)

    assert verdict.method == "t+score"
    assert verdict.low < -0.07
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_differences_equal_up_to_rounding_do_not_count_as_varying(graded):
    """0.9 − 0.8 and 0.3 − 0.2 are the same change: without spread there is no t interval to trust."""
    tens = [place % 9 / 10 for place in range(60)]

    verdict = decide_regression(graded([value + 0.1 for value in tens]), graded(tens))

    assert verdict.method == "t+score"
    assert verdict.low < 0.1 - 0.04


def test_significant_only_without_correction_is_inconclusive(binary):
    """Ten lost of 72 are worse at 5 %, and not at one in ten thousand."""
    baseline, candidate = binary([1.0] * 72), binary([1.0] * 62 + [0.0] * 10)

    alone = decide_regression(candidate, baseline)
    corrected = decide_regression(candidate, baseline, alpha_adjusted=0.0001)

    assert (alone.outcome, corrected.outcome) == (Outcome.REGRESSED, Outcome.INCONCLUSIVE)
    assert (alone.low, alone.high) == (corrected.low, corrected.high)


@pytest.mark.parametrize(("cases", "lost"), [(40, 2), (100, 2), (60, 0), (51, 1)])
def test_needed_cases_would_decide(binary, cases, lost):
    """As many cases in the same proportion, rounded to whole cases, settle the gate; and no fewer than are there."""
    verdict = decide_regression(binary([0.0] * lost + [1.0] * (cases - lost)), binary([1.0] * cases), margin=0.04)
    assert verdict.outcome is Outcome.INCONCLUSIVE

    needed = verdict.needed_cases * 1.02 + cases  # whole cases round the proportion
    again = round(lost * needed / cases)
    more = decide_regression(
        binary([0.0] * again + [1.0] * (round(needed) - again)), binary([1.0] * round(needed)), margin=0.04
    )

    assert verdict.needed_cases > cases
    assert more.outcome is not Outcome.INCONCLUSIVE


@pytest.mark.parametrize("clusters", [1, 4])
def test_too_few_clusters_are_invalid(graded, clusters):
    """Fewer than five clusters show no spread between clusters."""
    groups = tuple(f"g{place % clusters}" for place in range(40))
    scores = graded([0.5] * 40, clusters=groups)

    verdict = decide_regression(scores, scores)

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == f"{clusters} cluster{'s' if clusters > 1 else ''}; an interval needs at least 5"


def test_clusters_widen_the_interval(graded):
    """Cases that move together count once: twenty cases in five clusters give t(4), not t(19)."""
    baseline = [0.5] * 20
    candidate = [0.5 + 0.1 * (place % 5 - 2) for place in range(20)]
    groups = tuple(f"g{place % 5}" for place in range(20))

    clustered = decide_regression(graded(candidate, clusters=groups), graded(baseline, clusters=groups))
    plain = decide_regression(graded(candidate), graded(baseline))

    # Cluster means -.2 … .2: sd .158, half = t(4) · .158/√5 = 2.1318 · .0707. No fewer than four vary: score bound too.
    assert clustered.high >= 2.1318 * 0.0707 > plain.high
    assert clustered.method.startswith("cluster_t")


def test_clusters_of_a_binary_metric_do_not_take_tango(binary):
    """Declared clusters come before the kind."""
    groups = tuple(f"g{place % 10}" for place in range(100))
    scores = binary([1.0] * 100, clusters=groups)

    assert decide_regression(scores, scores).method == "cluster_t+score"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"margin": -0.1}, r"margin=-0.1; expected 0 or more, in the unit of the metric"),
        ({"alpha": 0.9}, r"alpha=0.9; expected a one-sided level between 0 and 0.5, for example 0.05"),
        ({"alpha_adjusted": 0.1}, r"alpha_adjusted=0.1; expected more than 0 and at most alpha=0.05"),
    ],
)
def test_impossible_parameters_are_refused(binary, parameters, message):
    """Every message names the parameter and what is allowed."""
    scores = binary([1.0])

    with pytest.raises(ValueError, match=message):
        decide_regression(scores, scores, **parameters)


def test_a_shift_larger_than_the_spread_is_not_cut(nats):
    """Values all near 2.3, all moved by 0.5: without bounds the spread limits the interval, never the estimate."""
    baseline = [2.3 + 0.01 * (place % 3) for place in range(60)]

    verdict = decide_regression(nats([value + 0.5 for value in baseline]), nats(baseline))

    assert verdict.delta == pytest.approx(-0.5)
    assert verdict.low < -0.5 < verdict.high


def test_one_case_decides_nothing(nats):
    """One document that got worse, without bounds: nothing says that the next one did."""
    verdict = decide_regression(nats([3.0]), nats([1.0]))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.low < -2 < 0 < verdict.high
