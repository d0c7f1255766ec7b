"""Slices below a gate."""

from __future__ import annotations

import pytest
from scipy import stats

from pytest_llmval.case_sets.case import Case
from pytest_llmval.statistics import benjamini_hochberg
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.verdicts.estimate import ChangedPairs, mean_of
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.slices import labels_by, worse_p
from pytest_llmval.verdicts.verdict import Outcome

TOPICS = {f"c{place}": ("refunds",) if place < 40 else ("hours", "all") for place in range(400)}


def _sides(binary, lost):
    """Four hundred cases that passed; the first `lost` of them fail now."""
    return binary([0.0] * lost + [1.0] * (400 - lost)), binary([1.0] * 400)


def test_a_slice_is_worse_although_the_gate_passes(binary):
    """8 of 40 refunds lost are 2 % of all cases: within the margin, and named."""
    verdict = decide_regression(*_sides(binary, 8), slices=TOPICS)

    assert verdict.outcome is Outcome.WORSE_WITHIN_MARGIN
    assert [(each.name, each.cases, each.is_worse) for each in verdict.slices] == [
        ("refunds", 40, True),
        ("all", 360, False),
        ("hours", 360, False),
    ]
    assert verdict.slices[0].delta == -0.2
    assert "worse in this slice: refunds (-20.0 pp, n=40, adjusted p=" in verdict.reason


def test_slices_decide_nothing(binary):
    """With and without them the outcome and its numbers are the same."""
    plain, sliced = (decide_regression(*_sides(binary, 8), slices=labels) for labels in (None, TOPICS))

    assert (plain.outcome, plain.low, plain.high) == (sliced.outcome, sliced.low, sliced.high)


def test_p_values_are_adjusted_over_the_slices(binary):
    """One slice of three has z = 8/√8 = 2.83, the others nothing: BH multiplies the smallest by three."""
    verdict = decide_regression(*_sides(binary, 8), slices=TOPICS)

    alone = float(stats.norm.sf(8 / 8**0.5))
    assert verdict.slices[0].p_adjusted == pytest.approx(benjamini_hochberg([alone, 1.0, 1.0])[0], rel=1e-3)


def test_a_slice_of_few_clusters_has_no_figures(graded):
    """Four clusters show no spread; it is listed with its number of cases."""
    clusters = tuple(f"g{place // 2}" for place in range(40))
    labels = {f"c{place}": ("few",) if place < 8 else ("many",) for place in range(40)}
    same = graded([0.5] * 40, clusters=clusters)

    found = {each.name: each for each in decide_regression(same, same, slices=labels).slices}

    assert (found["few"].cases, found["few"].delta, found["few"].p_adjusted) == (8, None, None)
    assert found["many"].p_adjusted == 1.0


def test_many_worse_slices_are_counted(binary):
    """Three are named."""
    labels = {f"c{place}": (f"s{place % 5}",) for place in range(400)}

    verdict = decide_regression(*_sides(binary, 200), slices=labels)

    assert "worse in these slices: " in verdict.reason
    assert verdict.reason.endswith(" and 2 more")


def test_slices_follow_from_the_evidence(binary):
    """Through JSON and decided anew."""
    verdict = decide_regression(*_sides(binary, 8), slices=TOPICS)

    assert verdict_from_dict(verdict_to_dict(verdict)) == verdict
    assert recompute(verdict.evidence).slices == verdict.slices


def test_the_p_value_of_worse_is_that_of_the_interval():
    """For scores it is the one-sided paired t, for passes the score test: z = (lost − gained)/√(lost + gained)."""
    changes = [0.02 * (place % 7) - 0.09 for place in range(49)]  # symmetric, so that Hall's correction is none

    graded = worse_p(mean_of(changes, Interval(-1.0, 1.0)))
    binary = worse_p(ChangedPairs(gained=3, lost=14, pairs=200))

    assert graded == pytest.approx(stats.ttest_1samp(changes, 0, alternative="less").pvalue, rel=1e-4)
    assert binary == pytest.approx(stats.norm.sf(11 / 17**0.5), rel=1e-4)


def test_what_got_better_is_not_worse():
    """The p-value is 1, not one half or more."""
    assert worse_p(ChangedPairs(gained=9, lost=2, pairs=200)) == 1.0


def _scores(graded, **fields):
    case = Case("c0", {"topic": "pens", "level": 3, "empty": None}, "ask", tags=("a", "b"))
    return graded([0.5], cases=(case,), **fields)


@pytest.mark.parametrize(("by", "labels"), [("tag", ("a", "b")), ("topic", ("pens",)), ("level", ("3",))])
def test_labels_are_tags_or_the_values_of_a_field(graded, by, labels):
    """A number is a label like any other."""
    assert labels_by(_scores(graded), by) == {"c0": labels}


def test_a_field_that_no_case_has_is_refused(graded):
    """The message lists what there is."""
    with pytest.raises(ValueError, match=r"by='topics': no case has it; expected 'tag' or one of 'empty', 'level', "):
        labels_by(_scores(graded), "topics")


def test_scores_made_by_hand_have_no_labels(graded):
    """Nothing says which case is what."""
    with pytest.raises(ValueError, match=r"by='tag' needs the cases of the scores; expected a metric of `responses`"):
        labels_by(graded([0.5]), "tag")
