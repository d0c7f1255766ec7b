"""One version against a bar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.scoring.score import CaseNote, Unscored
from pytest_llmval.statistics import wilson_interval
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.verdict import CaseChange, Counts, Outcome

FAILED = Unscored("timed out", failed=True)
UNSCORED = Unscored("judge gave no grade")


@pytest.mark.parametrize(
    ("bar", "outcome", "reason"),
    [
        (0.75, Outcome.EQUIVALENT, ""),
        (0.95, Outcome.REGRESSED, "shown below the bar of 0.950"),
        (
            0.85,
            Outcome.INCONCLUSIVE,
            (
                "not shown at or above the bar of 0.850: the interval reaches 0.835; "
                "about 863 cases would decide it if the value stays the same"
            ),
        ),
    ],
)
def test_a_share_against_its_bar(binary, bar, outcome, reason):
    """261 of 300 pass; p₀(1 − p₀)·(z/(p − p₀))² = .85 · .15 · (1.645/.02)² = 862.4 cases for a bar of .85."""
    verdict = decide_at_least(binary([1.0] * 261 + [0.0] * 39), bar)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.headline == f"accuracy 0.870 (90% CI [0.835, 0.899], n=300), bar {bar:.3f}"
    assert (verdict.kind, verdict.method, verdict.threshold) == ("at_least", "wilson", bar)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_binary_scores_take_wilson(binary, count):
    """The interval is Wilson's at 90 %."""
    passes, cases = count

    verdict = decide_at_least(binary([1.0] * passes + [0.0] * (cases - passes)), 0.5)

    expected = wilson_interval(passes, cases, 0.90)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_binary_rate_where_lower_is_better_takes_wilson_too(binary, count):
    """The share of toxic answers is no other question than that of harmless ones."""
    toxic, cases = count

    verdict = decide_at_most(binary([1.0] * toxic + [0.0] * (cases - toxic), higher_is_better=False), 0.5)

    expected = wilson_interval(toxic, cases, 0.90)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert verdict.method == "wilson"


def test_graded_scores_take_t(graded):
    """Forty different values: scipy's t interval of the mean at 90 %."""
    values = [0.5 + 0.01 * place for place in range(40)]

    verdict = decide_at_least(graded(values), 0.6)

    expected = stats.ttest_1samp(values, 0).confidence_interval(0.90)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high))
    assert (verdict.outcome, verdict.method) == (Outcome.EQUIVALENT, "t")


def test_equal_graded_scores_are_not_certain(graded):
    """Twenty times 1.0 is at least .881 and no more: 20/(20 + z²)."""
    verdict = decide_at_least(graded([1.0] * 20), 0.9)

    assert verdict.low == pytest.approx(20 / 22.7055, abs=1e-4)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_perfect_cases_say_how_many_more_are_needed(binary):
    """n/(n + z²) reaches .9 from 9·z² = 24.35 on."""
    verdict = decide_at_least(binary([1.0] * 20), 0.9)

    assert verdict.needed_cases == 25
    assert verdict.reason == (
        "not shown at or above the bar of 0.900: the interval reaches 0.881; "
        "about 25 cases would decide it if the value stays the same"
    )


def test_a_value_at_the_bar_is_never_decided(binary):
    """No number of cases tells a value from itself."""
    verdict = decide_at_least(binary([1.0, 0.0] * 20), 0.5)

    assert verdict.needed_cases is None
    assert verdict.reason.endswith("; more cases would not decide it if the value stays the same")


@pytest.mark.parametrize(
    ("bar", "outcome", "reason"),
    [
        (2.5, Outcome.EQUIVALENT, ""),
        (2.0, Outcome.REGRESSED, "shown above the bar of 2.000 nats/token"),
        (
            2.2,
            Outcome.INCONCLUSIVE,
            (
                "not shown at or below the bar of 2.200 nats/token: the interval reaches 2.219; "
                "about 2168 cases would decide it if the value stays the same"
            ),
        ),
    ],
)
def test_a_lower_is_better_metric_against_its_bar(nats, bar, outcome, reason):
    """The mirror of the minimum; (1.645 · .1414/.005)² = 2165 cases for a bar of 2.2, and three more by t."""
    verdict = decide_at_most(nats([1.995 + 0.1 * (place % 5) for place in range(100)]), bar)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.headline == f"perplexity 2.195 nats/token (90% CI [2.171, 2.219], n=100), bar {bar:.3f}"
    assert verdict.kind == "at_most"


def test_a_minimum_for_a_lower_is_better_metric_is_refused(nats):
    """The message names the assertion that fits."""
    message = r"perplexity: lower is better, so a minimum is no bar; use assert_at_most\(scores, 2\.5\)"

    with pytest.raises(ValueError, match=message):
        decide_at_least(nats([2.0]), 2.5)


def test_a_maximum_for_a_higher_is_better_metric_is_refused(binary):
    """The same the other way."""
    message = r"accuracy: higher is better, so a maximum is no bar; use assert_at_least\(scores, 0\.5\)"

    with pytest.raises(ValueError, match=message):
        decide_at_most(binary([1.0]), 0.5)


@pytest.mark.parametrize("bar", [75, -0.1, float("nan")])
def test_a_bar_outside_the_bounds_is_refused(binary, bar):
    """75 instead of 0.75 is the usual mistake."""
    with pytest.raises(ValueError, match=r"accuracy: bar .*; expected a number within its bounds \[0\.0, 1\.0\]"):
        decide_at_least(binary([1.0]), bar)


def test_failed_cases_count_as_wrong_and_unscored_ones_are_left_out(binary):
    """Two failures and a missing grade among 100: 97 of 99."""
    verdict = decide_at_least(binary([FAILED] * 2 + [UNSCORED] + [1.0] * 97), 0.5)

    assert verdict.counts == Counts(cases=100, compared=99, failed=2, unscored=1)
    assert verdict.candidate == pytest.approx(97 / 99)


@pytest.mark.parametrize(("lost", "invalid"), [(5, False), (6, True)])
def test_five_percent_may_be_lost_and_not_more(binary, lost, invalid):
    """Exactly 5 of 100 is allowed."""
    verdict = decide_at_least(binary([UNSCORED] * lost + [1.0] * (100 - lost)), 0.5)

    assert (verdict.outcome is Outcome.INVALID) is invalid
    assert ("6.0% of the cases are lost, more than 5%" in verdict.reason) is invalid


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([FAILED] + [2.0] * 30, "the candidate failed and the metric has no worst value to count: 'c0'"),
        ([float("inf")] + [2.0] * 30, "infinite values have no mean: 'c0'"),
        ([UNSCORED] * 2, "no case has a score (0 failed, 2 unscored of 2: judge gave no grade)"),
        ([], "no case has a score (0 failed, 0 unscored of 0)"),
    ],
)
def test_scores_without_a_mean_are_invalid(nats, values, reason):
    """Every reason names the cases or counts them."""
    verdict = decide_at_most(nats(values), 3.0)

    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, reason)
    assert verdict.headline == "perplexity cannot be decided"


def test_too_few_clusters_are_invalid(graded):
    """Four texts show no spread between texts."""
    verdict = decide_at_least(graded([0.9] * 40, clusters=tuple("abcd" * 10)), 0.5)

    assert verdict.reason == "4 clusters; an interval needs at least 5"


def test_clusters_take_the_clustered_interval(graded):
    """Eight clusters with means .1 apart: the method says so."""
    clusters = tuple("abcdefgh" * 5)

    verdict = decide_at_least(graded([0.1 * (place % 8) for place in range(40)], clusters=clusters), 0.1)

    assert verdict.method == "cluster_t"


def test_worst_cases_are_the_lowest(graded):
    """Lowest first, the failed with its reason; what is as good as can be is not shown."""
    notes = tuple(CaseNote(f"ask {place}", "", f"answer {place}") for place in range(30))

    verdict = decide_at_least(graded([FAILED, 0.4, 0.2] + [1.0] * 27, notes=notes), 0.5)

    assert verdict.worst == (
        CaseChange("c0", None, None, "ask 0", "", "", "no answer: timed out"),
        CaseChange("c2", None, 0.2, "ask 2", "", "", "answer 2"),
        CaseChange("c1", None, 0.4, "ask 1", "", "", "answer 1"),
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_a_lower_bar_never_turns_a_pass_into_a_failure(graded, values, first, second):
    """Asking less can only help."""
    scores = graded(values)

    strict, lenient = decide_at_least(scores, max(first, second)), decide_at_least(scores, min(first, second))

    assert lenient.passed or not strict.passed


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 3), st.floats(0, 1))
def test_failed_cases_never_help(graded, values, failures, bar):
    """A crash is never better than no case."""
    before = decide_at_least(graded(values), bar)
    after = decide_at_least(graded([*values, *([FAILED] * failures)]), bar)

    assert before.passed or not after.passed
    assert after.low is None or (after.low <= before.low and after.high <= before.high)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_the_mirrored_metric_has_the_mirrored_verdict(graded, values, bar):
    """An error rate below .1 is a success rate above .9."""
    rate = decide_at_least(graded(values), bar)
    error = decide_at_most(graded([1 - value for value in values], higher_is_better=False), 1 - bar)

    assert (error.low, error.high) == pytest.approx((1 - rate.high, 1 - rate.low), abs=1e-9)
