"""Refusal of comparisons whose sides measure different things."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.score import Basis
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome

BASIS = Basis(dataset="faq@1a2b", prompt="p1", decoding="greedy", metric="rouge_l", batching="32")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dataset": "faq@9c0d"}, "dataset differs: faq@1a2b -> faq@9c0d"),
        ({"decoding": ""}, "decoding differs: greedy -> (none)"),
        ({"prompt": "p2", "batching": "8"}, "prompt differs: p1 -> p2; batching differs: 32 -> 8"),
    ],
)
def test_another_basis_is_named_in_the_order_of_output(graded, changed, reason):
    """The reason names what differs, baseline -> candidate."""
    fields = {name: getattr(BASIS, name) for name in BASIS.__slots__}

    verdict = decide_regression(
        graded([0.8] * 60, basis=Basis(**(fields | changed))), graded([0.8] * 60, basis=BASIS, version="v1")
    )

    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, reason)
    assert verdict.headline == "rouge_l cannot be decided vs v1"
    assert verdict.delta is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "rouge_1"}, "metric name differs: rouge_l -> rouge_1"),
        ({"kind": "unbounded"}, "metric kind differs: graded -> unbounded"),
        ({"unit": "points"}, "unit differs: (none) -> points"),
        ({"higher_is_better": False}, "direction (higher is better) differs: True -> False"),
        ({"bounds": (0.0, 5.0)}, "bounds differs: (0.0, 1.0) -> (0.0, 5.0)"),
        (
            {"ids": [f"x{place}" for place in range(60)]},
            "no case id occurs on both sides (baseline has 60, candidate 60)",
        ),
    ],
)
def test_another_metric_is_named(graded, fields, reason):
    """Scores made by hand are compared by what they say about themselves."""
    verdict = decide_regression(graded([0.8] * 60, **fields), graded([0.8] * 60))

    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, reason)


def test_a_case_in_another_cluster_is_refused(graded):
    """The same case cannot belong to two groups."""
    groups = tuple("abcdef")

    verdict = decide_regression(graded([0.8] * 6, clusters=groups), graded([0.8] * 6, clusters=groups[::-1]))

    assert verdict.reason == "cluster differs for 'c0', 'c1', 'c2' and 3 more"


def test_one_side_without_a_basis_is_compared_by_ids(graded):
    """None stands for scores made by hand."""
    verdict = decide_regression(graded([0.8] * 60, basis=BASIS), graded([0.8] * 60))

    assert verdict.outcome is Outcome.EQUIVALENT


def test_a_field_may_vary_by_name(graded):
    """`--llmval-vary prompt` lets two prompts be compared, and nothing else."""
    other = Basis(dataset="faq@1a2b", prompt="p2", decoding="greedy", metric="rouge_l", batching="32")
    candidate, baseline = graded([0.8] * 60, basis=other), graded([0.8] * 60, basis=BASIS)

    assert decide_regression(candidate, baseline, vary=["prompt"]).outcome is Outcome.EQUIVALENT
    assert decide_regression(candidate, baseline, vary=["dataset"]).outcome is Outcome.INVALID


def test_order_of_the_cases_does_not_matter(graded):
    """Pairs are made by id, not by place."""
    values, ids = [0.01 * place for place in range(80)], [f"c{place}" for place in range(80)]

    verdict = decide_regression(graded(values[::-1], ids=ids[::-1]), graded(values, ids=ids))

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.delta == 0
