"""Whether two versions answer alike."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_llmval.scoring.same_answers import Flip
from pytest_llmval.scoring.score import Basis, CaseNote, Unscored
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.same_answers import decide_same_answers
from pytest_llmval.verdicts.verdict import CaseChange, Counts, Outcome

FAILED = Unscored("timed out", failed=True)
NO_BASELINE = Unscored("the baseline: timed out")


def sides(build, values, baseline=None, **fields):
    """Agreement of the candidate, and the baseline's with itself."""
    known = [1.0] * len(values) if baseline is None else baseline
    return (
        build(values, name="same_answers", version="v2", **fields),
        build(known, name="same_answers", version="v1", **fields),
    )


def test_no_flip_passes_however_few_the_cases(binary):
    """It speaks of exactly these three: no interval, no sample."""
    verdict = decide_same_answers(*sides(binary, [1.0] * 3))

    assert (verdict.outcome, verdict.reason, verdict.needed_cases) == (Outcome.EQUIVALENT, "", None)
    assert verdict.headline == "same_answers: 3 of 3 cases vs v1"
    assert verdict.kind == "same_answers"


def test_one_flip_fails(binary):
    """Whatever the share of the others."""
    verdict = decide_same_answers(*sides(binary, [0.0] + [1.0] * 999))

    assert (verdict.outcome, verdict.reason) == (Outcome.REGRESSED, "answered differently: 'c0'")
    assert verdict.headline == "same_answers: 999 of 1000 cases vs v1, 1 flip: 'c0'"


def test_flips_are_listed_with_both_answers(binary):
    """Three names in the headline, twenty with their answers, all of them in the evidence."""
    flips = [
        Flip(f"c{place}", CaseNote(f"ask {place}", "right", f"new {place}"), f"old {place}") for place in range(25)
    ]

    verdict = decide_same_answers(*sides(binary, [0.0] * 25 + [1.0] * 15), flips=flips)

    assert verdict.headline == "same_answers: 15 of 40 cases vs v1, 25 flips: 'c0', 'c1', 'c2' and 22 more"
    assert len(verdict.worst) == 20
    assert verdict.worst[1] == CaseChange("c1", 1.0, 0.0, "ask 1", "right", "old 1", "new 1")
    assert verdict.evidence["flips"] == [f"c{place}" for place in range(25)]


def test_a_crash_is_a_flip_with_its_reason(binary):
    """The baseline had an answer, the candidate none."""
    notes = (CaseNote("ask 0", "right", "(no answer: timed out)"),) + (CaseNote(),) * 39

    verdict = decide_same_answers(*sides(binary, [FAILED] + [1.0] * 39, notes=notes))

    assert (verdict.outcome, verdict.counts.failed) == (Outcome.REGRESSED, 1)
    assert verdict.worst == (CaseChange("c0", 1.0, None, "ask 0", "right", "", "no answer: timed out"),)


@pytest.mark.parametrize("value", [NO_BASELINE, FAILED])
def test_a_case_the_baseline_failed_is_left_out(binary, value):
    """Whether the candidate answered it or failed it as well: there is nothing to compare."""
    verdict = decide_same_answers(*sides(binary, [value] + [1.0] * 39, [FAILED] + [1.0] * 39))

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.headline == "same_answers: 39 of 39 cases vs v1"
    assert verdict.counts == Counts(cases=40, compared=39, unscored=1)


def test_a_case_the_candidate_was_not_asked_is_a_flip(binary):
    """It is missing, and not dropped."""
    candidate, baseline = binary([1.0] * 39, name="same"), binary([1.0] * 40, name="same")

    verdict = decide_same_answers(candidate, baseline)

    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.reason == "answered differently: 'c39'"
    assert verdict.counts == Counts(cases=40, compared=40, missing=1)
    assert verdict.worst[0].candidate_answer == "no answer: not asked"


def test_a_case_the_baseline_was_not_asked_is_left_out(binary):
    """And counted as missing."""
    candidate = binary([1.0] * 39 + [Unscored("the baseline has no answer")], name="same")

    verdict = decide_same_answers(candidate, binary([1.0] * 39, name="same"))

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.counts == Counts(cases=40, compared=39, missing=1)


@pytest.mark.parametrize("lost", [FAILED, NO_BASELINE])
def test_more_than_five_percent_lost_is_invalid(binary, lost):
    """Three of 40, whichever side lost them; no number is given then."""
    baseline = [FAILED if lost is NO_BASELINE else 1.0] * 3 + [1.0] * 37

    verdict = decide_same_answers(*sides(binary, [lost] * 3 + [1.0] * 37, baseline))

    assert (verdict.outcome, verdict.candidate, verdict.low, verdict.worst) == (Outcome.INVALID, None, None, ())
    assert verdict.headline == "same_answers cannot be decided vs v1"
    assert verdict.reason.startswith("7.5% of the cases are lost, more than 5%")


def test_other_conditions_are_refused(binary):
    """Different decoding is no question about the versions; `vary` allows it by name."""
    candidate, baseline = sides(binary, [1.0] * 3)
    warm = replace(candidate, basis=Basis(decoding="temperature=1"))
    greedy = replace(baseline, basis=Basis(decoding="temperature=0"))

    refused, allowed = decide_same_answers(warm, greedy), decide_same_answers(warm, greedy, vary=["decoding"])

    assert (refused.outcome, refused.candidate) == (Outcome.INVALID, None)
    assert refused.reason == "decoding differs: temperature=0 -> temperature=1"
    assert allowed.outcome is Outcome.EQUIVALENT


@pytest.mark.parametrize(
    ("cases", "flips", "outcome"),
    [
        (132, 0, Outcome.INCONCLUSIVE),
        (133, 0, Outcome.EQUIVALENT),  # T53: n/(n + z²) reaches .98 from 133 on
        (133, 10, Outcome.REGRESSED),  # at most .956 by Wilson
        (400, 8, Outcome.INCONCLUSIVE),  # exactly 2 %
    ],
)
def test_a_share_is_shown_by_wilson(binary, cases, flips, outcome):
    """2 % of cases like these may be answered differently."""
    verdict = decide_same_answers(*sides(binary, [0.0] * flips + [1.0] * (cases - flips)), max_share=0.02)

    assert (verdict.outcome, verdict.threshold, verdict.method) == (outcome, 0.98, "wilson")


def test_a_share_that_is_not_shown_says_what_is_needed(binary):
    """20 equal answers."""
    verdict = decide_same_answers(*sides(binary, [1.0] * 20), max_share=0.02)

    assert verdict.needed_cases == 133
    assert verdict.reason == (
        "not shown at or above the bar of 0.980: the interval reaches 0.881; "
        "about 133 cases would decide it if the value stays the same"
    )


def test_clusters_count_once_where_a_share_is_allowed(binary):
    """300 equal answers to 10 texts are 10 that agree; exactly these 300 do so anyway."""
    clusters = tuple(f"g{place % 10}" for place in range(300))
    candidate, baseline = sides(binary, [1.0] * 300, clusters=clusters)

    sample = decide_same_answers(candidate, baseline, max_share=0.02)

    assert (sample.outcome, sample.method) == (Outcome.INCONCLUSIVE, "cluster_t+score")
    assert decide_same_answers(candidate, baseline).outcome is Outcome.EQUIVALENT


def test_clusters_that_only_one_side_declares_count(binary):
    """Dependence does not go away because one file does not mention it."""
    clusters = tuple(f"g{place % 10}" for place in range(300))
    candidate, baseline = sides(binary, [1.0] * 300)

    for pair in ((replace(candidate, clusters=clusters), baseline), (candidate, replace(baseline, clusters=clusters))):
        assert decide_same_answers(*pair, max_share=0.02).method == "cluster_t+score"


def test_too_few_clusters_matter_only_where_a_share_is_allowed(binary):
    """Four texts show no spread between texts."""
    candidate, baseline = sides(binary, [1.0] * 40, clusters=tuple("abcd" * 10))

    verdict = decide_same_answers(candidate, baseline, max_share=0.02)

    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, "4 clusters; an interval needs at least 5")
    assert decide_same_answers(candidate, baseline).outcome is Outcome.EQUIVALENT


@pytest.mark.parametrize("flagged", ["candidate", "baseline"])
def test_a_must_pass_case_may_not_flip_within_the_share(binary, flagged):
    """One of 1000 is within 2 %, and it is the one."""
    candidate, baseline = sides(binary, [0.0] + [1.0] * 999)
    flags = {"must_pass": (True,) + (False,) * 999}
    pair = (
        (replace(candidate, **flags), baseline) if flagged == "candidate" else (candidate, replace(baseline, **flags))
    )

    verdict = decide_same_answers(*pair, max_share=0.02)

    assert decide_same_answers(candidate, baseline, max_share=0.02).outcome is Outcome.EQUIVALENT
    assert (verdict.outcome, verdict.reason) == (Outcome.REGRESSED, "must-pass case broke: 'c0'")


@pytest.mark.parametrize("max_share", [0.0, 0.02])
def test_a_must_pass_case_cannot_be_same_unseen(binary, max_share):
    """The baseline has no answer to it."""
    flags = {"must_pass": (True,) + (False,) * 299}

    verdict = decide_same_answers(
        *sides(binary, [NO_BASELINE] + [1.0] * 299, [FAILED] + [1.0] * 299, **flags), max_share=max_share
    )

    assert (verdict.outcome, verdict.reason) == (
        Outcome.INCONCLUSIVE,
        "not shown: must-pass case has no score: 'c0'",
    )


def test_a_case_whose_trials_differ_in_part_is_a_flip(binary):
    """Two of three trials the same: not the same, and two thirds of a case where a share is allowed."""
    values = [2 / 3] + [1.0] * 299
    candidate, baseline = sides(binary, values, trials=3)

    exact, shared = decide_same_answers(candidate, baseline), decide_same_answers(candidate, baseline, max_share=0.02)

    assert exact.reason == "answered differently: 'c0'"
    assert exact.worst[0].candidate == 2 / 3
    assert (shared.outcome, shared.method) == (Outcome.EQUIVALENT, "t+score")
    assert shared.candidate == pytest.approx(1 - 1 / 900)


@pytest.mark.parametrize("max_share", [0.0, 0.02])
def test_it_follows_from_its_evidence_alone(binary, max_share):
    """But for prompts and answers, which stay with the records."""
    flip = Flip("c1", CaseNote("ask", "right", "new"), "old")
    values = [FAILED, 0.0, NO_BASELINE] + [1.0] * 97
    verdict = decide_same_answers(
        *sides(binary, values, [1.0, 1.0, FAILED] + [1.0] * 97), flips=[flip], max_share=max_share
    )

    again = recompute(json.loads(json.dumps(verdict.evidence, allow_nan=False)))

    assert replace(again, worst=()) == replace(verdict, worst=())
    assert [(case.id, case.candidate) for case in again.worst] == [("c0", None), ("c1", 0.0)]


@pytest.mark.parametrize("max_share", [-0.01, 1, 2, float("nan")])
def test_an_impossible_share_is_refused(binary, max_share):
    """2 instead of 0.02 is the usual mistake."""
    message = rf"max_share={max_share}; expected the share of cases that may be answered differently, from 0 to below 1"

    with pytest.raises(ValueError, match=message):
        decide_same_answers(*sides(binary, [1.0]), max_share=max_share)
