"""A measured number against a limit: four outcomes, and the verdict again from its evidence."""

import json

import pytest

from pytest_llmval.reports.figures import row
from pytest_llmval.reports.summary import Gate
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.limit import Measured, decide_limit
from pytest_llmval.verdicts.recompute import recompute


@pytest.mark.parametrize(
    ("value", "undecided", "outcome"),
    [
        (0.001, False, "equivalent"),
        (0.0011, False, "regressed"),
        (float("nan"), False, "regressed"),
        (0.001, True, "inconclusive"),
        (0.0011, True, "regressed"),
        (None, False, "invalid"),
        (None, True, "inconclusive"),
    ],
)
def test_the_outcome_follows_value_and_completeness(value, undecided, outcome):
    """The limit itself passes, NaN never does, and what was not compared in full cannot pass."""
    verdict = decide_limit(Measured("mean KL", 0.001, value, 120), undecided=undecided)

    assert verdict.outcome == outcome
    assert verdict.kind == "limit"


def test_the_verdict_is_recomputed_from_its_evidence_with_another_limit():
    """The record on disk needs nothing else."""
    verdict = decide_limit(Measured("mean KL", 0.001, 0.0016, 120, headline="mean KL 0.0016"))
    read = verdict_from_dict(json.loads(json.dumps(verdict_to_dict(verdict))))

    again, wider = recompute(read.evidence), recompute(read.evidence, limit=0.01)

    assert (again.outcome, again.candidate, again.threshold, again.counts) == (
        verdict.outcome,
        verdict.candidate,
        verdict.threshold,
        verdict.counts,
    )
    assert (verdict.outcome, wider.outcome) == ("regressed", "equivalent")


def test_the_table_says_limit_and_exceeded():
    """Small numbers keep their digits."""
    kept, exceeded = (decide_limit(Measured("mean KL", 1e-3, value, 120)) for value in (3.11e-5, 1.6e-3))

    assert row(Gate("test_x.py::test_kl", kept)) == (
        "test_x.py::test_kl mean KL", "limit 0.001", "3.11e-05", "-", "-", "-", "120", "kept",
    )  # fmt: skip
    assert row(Gate("test_x.py::test_kl", exceeded))[-1] == "exceeded"
