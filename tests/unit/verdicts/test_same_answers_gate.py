"""The gate on the answers themselves."""

from __future__ import annotations

import json

import pytest

from pytest_llmval.scoring.same_answers import Flip
from pytest_llmval.scoring.score import Basis, CaseNote, Unscored
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.same_answers import decide_same_answers
from pytest_llmval.verdicts.verdict import Outcome

FAILED = Unscored("timed out", failed=True)
FLIP = Flip("c0", CaseNote("ask", "expect", "new"), "old")


def _decided(binary, flipped, cases=300, share=0.0, **fields):
    """Of so many cases the first few are answered differently."""
    candidate = binary([0.0] * flipped + [1.0] * (cases - flipped), name="same_answers", **fields)
    baseline = binary([1.0] * cases, name="same_answers", version="v1", **fields)
    return decide_same_answers(candidate, baseline, max_share=share, flips=[FLIP] if flipped else [])


def test_no_flip_passes_however_few_cases(binary):
    """Nothing is claimed of other cases."""
    verdict = _decided(binary, 0, cases=3)

    assert (verdict.outcome, verdict.headline) == (Outcome.EQUIVALENT, "same_answers: 3 of 3 cases vs v1")


def test_one_flip_fails_and_is_shown(binary):
    """With its prompt and both answers."""
    verdict = _decided(binary, 1)

    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.headline == "same_answers: 299 of 300 cases vs v1, 1 flip: 'c0'"
    assert verdict.reason == "answered differently: 'c0'"
    (shown,) = verdict.worst
    assert (shown.prompt, shown.baseline_answer, shown.candidate_answer) == ("ask", "old", "new")


@pytest.mark.parametrize(
    ("flipped", "outcome"),
    [(0, Outcome.EQUIVALENT), (1, Outcome.EQUIVALENT), (6, Outcome.INCONCLUSIVE), (20, Outcome.REGRESSED)],
)
def test_a_share_of_flips_is_shown_or_not(binary, flipped, outcome):
    """Of cases like these, 2 %: by Wilson's interval of 0, 1, 6 and 20 of 300 (.9 %, 1.6 %, 4.0 %; from 4.7 % on)."""
    assert _decided(binary, flipped, share=0.02).outcome is outcome


def test_a_case_without_an_answer_is_a_flip(binary):
    """Of the candidate; one that the baseline lacks says nothing."""
    candidate = binary([FAILED, Unscored("the baseline has no answer"), *[1.0] * 58])

    verdict = decide_same_answers(candidate, binary([1.0] * 60))

    assert verdict.reason == "answered differently: 'c0'"
    assert (verdict.counts.failed, verdict.counts.unscored) == (1, 1)


def test_a_case_that_only_the_baseline_was_asked_is_a_flip(binary):
    """Missing is never the same."""
    verdict = decide_same_answers(binary([1.0] * 59), binary([1.0] * 60))

    assert verdict.outcome is Outcome.REGRESSED
    assert verdict.counts.missing == 1


def test_many_lost_cases_are_invalid(binary):
    """More than one in twenty."""
    candidate = binary([Unscored("the baseline has no answer")] * 5 + [1.0] * 55)

    assert decide_same_answers(candidate, binary([1.0] * 60)).outcome is Outcome.INVALID


def test_other_conditions_are_refused(binary):
    """Answers to another prompt are no flips."""
    fields = {"dataset": "faq@1", "decoding": "greedy"}
    candidate = binary([1.0] * 60, basis=Basis(prompt="p2", **fields))
    baseline = binary([1.0] * 60, basis=Basis(prompt="p1", **fields))

    refused, allowed = (decide_same_answers(candidate, baseline, vary=vary) for vary in ((), ("prompt",)))

    assert (refused.outcome, refused.reason) == (Outcome.INVALID, "prompt differs: p1 -> p2")
    assert allowed.outcome is Outcome.EQUIVALENT


def test_clusters_matter_to_a_share_only(binary):
    """Of exactly these cases they say nothing."""
    clusters = tuple(f"g{place % 3}" for place in range(300))

    assert _decided(binary, 0, clusters=clusters).outcome is Outcome.EQUIVALENT
    assert _decided(binary, 0, share=0.02, clusters=clusters).outcome is Outcome.INVALID


@pytest.mark.parametrize("share", [-0.1, 1, 5, float("nan")])
def test_a_share_that_is_none_is_refused(binary, share):
    """1 would allow everything."""
    with pytest.raises(ValueError, match=r"max_share=.*; expected the share of cases that may be answered differently"):
        _decided(binary, 0, share=share)


def test_the_verdict_follows_from_its_evidence(binary):
    """But for the texts, which stay with the records; all flips are named."""
    verdict = _decided(binary, 3, share=0.02)

    again = recompute(json.loads(json.dumps(verdict.evidence)))

    assert verdict_from_dict(json.loads(json.dumps(verdict_to_dict(verdict)))) == verdict
    assert (again.outcome, again.headline, again.low) == (verdict.outcome, verdict.headline, verdict.low)
    assert verdict.evidence["flips"] == ["c0", "c1", "c2"]
