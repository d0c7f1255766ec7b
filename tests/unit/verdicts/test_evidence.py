"""Verdicts and scores survive JSON, and a verdict can be recomputed from its evidence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.score import Basis, CaseNote, Unscored
from pytest_llmval.verdicts.evidence import scores_from_dict, scores_to_dict, verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most

FAILED = Unscored("timed out", failed=True)
NOTES = tuple(CaseNote(f"ask {place}", "expect", "answer") for place in range(60))
FIELDS = {
    "notes": NOTES,
    "basis": Basis(dataset="faq@1a2b"),
    "clusters": tuple(f"g{place % 6}" for place in range(60)),
    "must_pass": (True,) + (False,) * 59,
    "version": "v1",
}


def _through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


def _all_verdicts(graded, binary, nats):
    values = [0.3 + 0.01 * place for place in range(60)]
    lower = [0.0, FAILED, Unscored("no grade"), *values[3:]]
    yield decide_regression(graded(lower, **FIELDS), graded(values, **FIELDS), margin=0.02, alpha_adjusted=0.01)
    yield decide_regression(binary([1.0] * 59 + [0.0]), binary([1.0] * 60), vary=["prompt"])
    yield decide_regression(graded(values), graded(values, unit="points"))
    yield decide_regression(nats([float("inf"), 1.0]), nats([1.0, 2.0]))
    yield decide_at_least(graded(lower, **FIELDS), 0.4, alpha=0.1)
    yield decide_at_most(nats(values), 0.6)


@pytest.mark.parametrize("place", range(6))
def test_a_verdict_read_back_is_the_verdict(graded, binary, nats, place):
    """Nothing is lost in JSON, which knows neither tuples nor infinity."""
    verdict = list(_all_verdicts(graded, binary, nats))[place]

    assert verdict_from_dict(_through_json(verdict_to_dict(verdict))) == verdict


@pytest.mark.parametrize("place", range(6))
def test_a_verdict_follows_from_its_evidence_alone(graded, binary, nats, place):
    """The same verdict, but for prompts and answers, which stay with the records."""
    verdict = list(_all_verdicts(graded, binary, nats))[place]

    again = recompute(_through_json(verdict.evidence))

    assert replace(again, worst=()) == replace(verdict, worst=())
    assert [(case.id, case.baseline, case.candidate) for case in again.worst] == [
        (case.id, case.baseline, case.candidate) for case in verdict.worst
    ]


def test_a_verdict_can_be_asked_with_another_margin(graded):
    """Re-scoring a stored run needs nothing but its evidence."""
    verdict = decide_regression(graded([0.5] * 40), graded([0.5] * 40))

    assert not verdict.passed
    assert recompute(verdict.evidence, margin=0.1).passed


def test_evidence_holds_no_prompts_and_answers(graded):
    """They may be secret, and are large; the worst cases carry theirs in the verdict."""
    verdict = decide_regression(graded([0.5] * 60, notes=NOTES), graded([0.5] * 60, notes=NOTES))

    assert "ask" not in json.dumps(verdict.evidence)


def test_evidence_of_numpy_values_is_plain_json(graded):
    """Scores may come from numpy, whose float32 json refuses."""
    values = [np.float32(0.5), *np.linspace(0, 1, 59)]

    verdict = decide_regression(graded(values), graded(values))

    assert verdict_from_dict(_through_json(verdict_to_dict(verdict))).delta == 0


def test_evidence_of_an_unknown_kind_is_refused():
    """The message lists the kinds there are."""
    with pytest.raises(
        ValueError, match=r"evidence of kind 'x'; expected one of 'no_regression', 'improved', 'equivalent'"
    ):
        recompute({"kind": "x", "parameters": {}})


@given(
    st.lists(
        st.one_of(st.floats(0, 1), st.builds(Unscored, reason=st.text(max_size=10), failed=st.booleans())),
        max_size=20,
    )
)
def test_scores_read_back_are_the_scores(graded, values):
    """All but the notes."""
    scores = graded(values)

    assert scores_from_dict(_through_json(scores_to_dict(scores))) == scores
