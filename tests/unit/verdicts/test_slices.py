"""What a gate found, told apart by label."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.case_sets.case import Case
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.estimate import ChangedPairs, LeastFavourable, mean_of
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.slices import labels_by, worse_p
from pytest_llmval.verdicts.verdict import Outcome, Slice

FAILED = Unscored("timed out", failed=True)


def labelled(**members):
    """Labels by case id, from the places of each label's cases."""
    labels = {}
    for name, places in members.items():
        for place in places:
            labels[f"c{place}"] = (*labels.get(f"c{place}", ()), name)
    return labels


def by_name(verdict):
    """The slices of a verdict."""
    return {each.name: each for each in verdict.slices}


# 200 cases: of the first 50 nine are lost, of the next 50 three, of the last 100 none. z = (gained − lost)/√changed.
LOST = (*range(9), *range(50, 53))
THREE = labelled(maths=range(50), law=range(50, 100), rest=range(100, 200))


@pytest.fixture
def uneven(binary):
    """Candidate and baseline of 200 cases, 12 of them lost."""
    return binary([0.0 if place in LOST else 1.0 for place in range(200)]), binary([1.0] * 200)


def test_each_label_has_its_own_change(uneven):
    """Nine of 50, three of 50 and none of 100; the interval is Tango's, as for a gate over these cases alone."""
    candidate, baseline = uneven

    found = by_name(decide_regression(candidate, baseline, slices=THREE))

    alone = decide_regression(
        *(type(side)(side.name, side.ids[:50], side.values[:50], kind="binary") for side in uneven)
    )
    maths = found["maths"]
    assert {name: (each.cases, each.delta) for name, each in found.items()} == {
        "maths": (50, -0.18),
        "law": (50, -0.06),
        "rest": (100, 0.0),
    }
    assert (maths.baseline, maths.candidate, maths.low, maths.high) == (1.0, 0.82, alone.low, alone.high)


def test_p_values_are_adjusted_for_their_number(uneven):
    """P(Z ≤ −3) = .00135 and P(Z ≤ −√3) = .0416, the third 1: times 3/1, times 3/2, times 3/3 (Benjamini, Hochberg)."""
    found = by_name(decide_regression(*uneven, slices=THREE))

    assert found["maths"].p_adjusted == pytest.approx(3 * stats.norm.cdf(-3), rel=1e-4)
    assert found["law"].p_adjusted == pytest.approx(1.5 * stats.norm.cdf(-(3**0.5)), rel=1e-4)
    assert found["rest"].p_adjusted == 1
    assert [name for name, each in found.items() if each.is_worse] == ["maths"]


def test_slices_decide_nothing(uneven):
    """The outcome, its level and the numbers are those without slices; the reason names what is worse."""
    plain, sliced = decide_regression(*uneven), decide_regression(*uneven, slices=THREE)

    assert (sliced.outcome, sliced.low, sliced.high) == (plain.outcome, plain.low, plain.high)
    assert sliced.reason == f"{plain.reason}; worse in this slice: maths (-18.0 pp, n=50, adjusted p=0.004)"


def test_a_gate_that_passes_names_its_worse_slices(binary):
    """Nine lost in one slice and twelve gained elsewhere: improved, and not everywhere."""
    baseline = binary([1.0] * 50 + [0.0] * 20 + [1.0] * 130)
    candidate = binary([0.0] * 9 + [1.0] * 191)

    verdict = decide_regression(candidate, baseline, slices=THREE)

    assert verdict.outcome is Outcome.IMPROVED
    assert verdict.reason == "worse in this slice: maths (-18.0 pp, n=50, adjusted p=0.004)"
    assert [each.name for each in verdict.slices] == ["maths", "law", "rest"]


def test_three_worse_slices_are_named_and_the_others_counted(binary):
    """Five slices of forty with ten lost each."""
    candidate = binary([0.0 if place % 4 == 0 else 1.0 for place in range(200)])
    labels = labelled(**{f"s{number}": range(40 * number, 40 * number + 40) for number in range(5)})

    reason = decide_regression(candidate, binary([1.0] * 200), slices=labels).reason

    assert "; worse in these slices: s0 (-25.0 pp, n=40, adjusted p=0.00078), s1 (" in reason
    assert reason.endswith(" and 2 more")


def test_a_case_may_have_several_labels_or_none(uneven):
    """Overlapping labels count a case in each; a label given twice counts it once; a case without is in none."""
    labels = labelled(all=range(200), even=range(0, 200, 2)) | {"c1": ("all", "all")}
    labels["c3"] = ()

    found = by_name(decide_regression(*uneven, slices=labels))

    assert {name: each.cases for name, each in found.items()} == {"all": 199, "even": 100}
    assert found["all"].delta == pytest.approx(-11 / 199)


def test_labels_of_cases_that_were_not_compared_are_ignored(uneven):
    """Labels may name cases that neither side has."""
    assert decide_regression(*uneven, slices={"c999": ("ghost",)}).slices == ()


def test_a_label_of_one_case_is_never_shown_worse(binary):
    """One lost case is z = 1: p = .16."""
    verdict = decide_regression(binary([0.0] + [1.0] * 99), binary([1.0] * 100), slices={"c0": ("alone",)})

    assert verdict.slices == (
        Slice("alone", 1, 1.0, 0.0, -1.0, -1.0, verdict.slices[0].high, verdict.slices[0].p_adjusted),
    )
    assert verdict.slices[0].p_adjusted == pytest.approx(stats.norm.cdf(-1), rel=1e-4)


def test_failures_count_in_their_slice(binary):
    """Four of 80 crashed, all of one label."""
    candidate = binary([FAILED] * 4 + [1.0] * 76)

    found = by_name(
        decide_regression(candidate, binary([1.0] * 80), slices=labelled(long=range(8), short=range(8, 80)))
    )

    assert found["long"].delta == -0.5
    assert found["short"].delta == 0


def test_a_label_with_too_few_clusters_has_no_figures(graded):
    """Four clusters of ten: it is listed last with its cases, and not counted in the adjustment."""
    clusters = tuple(f"g{place % 4 if place < 20 else place % 10}" for place in range(60))
    candidate = graded([0.4 - 0.001 * place for place in range(60)], clusters=clusters)
    labels = labelled(few=range(20), many=range(20, 60))

    verdict = decide_regression(candidate, graded([0.5] * 60, clusters=clusters), slices=labels)

    many, few = verdict.slices
    assert few == Slice("few", 20)
    assert (many.name, many.p_adjusted < 0.05, few.is_worse) == ("many", True, False)


def test_a_label_without_weight_has_no_figures(nats):
    """Documents of no tokens have no mean."""
    weights = (100.0,) * 10 + (0.0,) * 10
    scores = nats([2.0] * 20, weights=weights)

    verdict = decide_regression(scores, scores, weighted=True, slices=labelled(texts=range(10), empty=range(10, 20)))

    assert by_name(verdict)["empty"] == Slice("empty", 10)
    assert by_name(verdict)["texts"].delta == 0


def test_an_invalid_gate_has_no_slices(binary):
    """What cannot be decided as a whole is not told apart."""
    assert decide_regression(binary([FAILED] * 10), binary([1.0] * 10), slices=labelled(x=range(10))).slices == ()


@pytest.mark.parametrize("decide", [decide_improvement, decide_equivalence])
def test_every_gate_that_compares_has_slices(uneven, decide):
    """Worse means worse than the baseline, whatever the gate asks for."""
    found = by_name(decide(*uneven, slices=THREE))

    assert [name for name, each in found.items() if each.is_worse] == ["maths"]


def test_slices_of_exactly_these_cases(binary, asked_often):
    """One label keeps its trials, the other loses half of them: only the noise of the trials counts."""
    sure, coin = (1.0,) * 4, (1.0, 0.0, 1.0, 0.0)
    candidate = asked_often(binary, [coin] * 12 + [sure] * 12)
    labels = labelled(noisy=range(12), steady=range(12, 24))

    verdict = decide_regression(candidate, asked_often(binary, [sure] * 24), estimand="suite", slices=labels)

    assert {each.name: each.is_worse for each in verdict.slices} == {"noisy": True, "steady": False}


LIMITS = Interval(-1.0, 1.0)
SYMMETRIC = np.sin(np.linspace(-9, 9, 30))


@given(st.floats(-0.3, 0.3))
def test_the_p_value_is_that_of_the_t_test(shift):
    """Scipy's one-sided p of "less than 0", where the interval is Student's; 1 from one half on."""
    changes = shift + 0.3 * SYMMETRIC

    p = stats.ttest_1samp(changes, 0, alternative="less").pvalue
    assert worse_p(mean_of(changes, LIMITS)) == pytest.approx(p if p < 0.4999 else 1.0, rel=1e-6, abs=2e-12)


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_p_value_of_a_binary_slice_is_that_of_mcnemar(gained, lost):
    """Tango's statistic at 0 is (gained − lost)/√(gained + lost)."""
    z = (gained - lost) / math.sqrt(max(1, gained + lost))

    p = stats.norm.cdf(z)
    assert worse_p(ChangedPairs(gained, lost, 100)) == pytest.approx(p if p < 0.4999 else 1.0, rel=1e-5, abs=2e-12)


@given(st.floats(0.0001, 0.4))
def test_the_p_value_is_the_level_at_which_the_interval_touches_zero(level):
    """Also for the score bound of few changes, and for the worse of two readings."""
    few = mean_of(np.array([-0.5] * 4 + [0.0] * 56), LIMITS)
    estimate = LeastFavourable((few, mean_of(0.1 + 0.3 * SYMMETRIC, LIMITS)))

    p = worse_p(estimate)
    assert (p <= level) == (estimate.interval(1 - 2 * level).high < 0)


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1)), min_size=2, max_size=60))
def test_the_most_suspect_slice_comes_first(graded, cases):
    """Adjusted p-values rise from the first slice to the last."""
    labels = {f"c{place}": (f"s{label}",) for place, (label, _) in enumerate(cases)}
    candidate = graded([value for _, value in cases])

    verdict = decide_regression(candidate, graded([0.7] * len(cases)), slices=labels)

    adjusted = [each.p_adjusted for each in verdict.slices]
    assert adjusted == sorted(adjusted)
    assert sum(each.cases for each in verdict.slices) == len(cases)


def test_labels_by_tag(graded):
    """The tags of each case, several or none."""
    cases = tuple(Case(f"c{place}", {}, "?", tags=tags) for place, tags in enumerate([("a", "b"), (), ("a",)]))

    assert labels_by(graded([0.5] * 3, cases=cases), "tag") == {"c0": ("a", "b"), "c1": (), "c2": ("a",)}


def test_labels_by_field(graded):
    """Numbers become text, lists several labels, a field that is lacking none."""
    values = ["law", 3, ["x", "y"], None, True]
    cases = tuple(Case(f"c{place}", {"topic": value}, "?") for place, value in enumerate(values))
    cases += (Case("c5", {}, "?"),)

    labels = labels_by(graded([0.5] * 6, cases=cases), "topic")

    assert labels == {"c0": ("law",), "c1": ("3",), "c2": ("x", "y"), "c3": (), "c4": ("True",), "c5": ()}


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("topc", r"rouge_l: by='topc', but no case has a field 'topc'; expected one of 'answer', 'topic'$"),
        ("tag", r"rouge_l: by='tag', but no case has a tag; expected one of 'answer', 'topic'$"),
    ],
)
def test_a_label_that_no_case_has_is_refused(graded, by, message):
    """The message lists what there is."""
    cases = (Case("c0", {"topic": "law", "answer": "yes"}, "?"),)

    with pytest.raises(ValueError, match=message):
        labels_by(graded([0.5], cases=cases), by)


def test_tags_are_offered_where_there_are_any(graded):
    """And only then."""
    with pytest.raises(ValueError, match=r"no case has a field 'x'; expected one of 'tag', 'topic'$"):
        labels_by(graded([0.5], cases=(Case("c0", {"topic": "law"}, "?", tags=("a",)),)), "x")
    with pytest.raises(ValueError, match=r"no case has a field 'x'; expected cases with tags or fields$"):
        labels_by(graded([0.5], cases=(Case("c0", {}, "?"),)), "x")


def test_scores_made_by_hand_cannot_be_told_apart(graded):
    """They have no cases to read labels from."""
    message = r"rouge_l: by='tag' needs the cases of the scores; expected a metric of `responses`"

    with pytest.raises(ValueError, match=message):
        labels_by(graded([0.5]), "tag")
