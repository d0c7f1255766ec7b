"""The perplexity gate: paired, weighted by tokens, with documents as the independent units."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import ModelRegression
from pytest_llmval.asserts import assert_perplexity_not_worse
from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.perplexity import decide_perplexity
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome


def corpus(nats, change=0.0, documents=60, *, seed=0, noise=0.004, **fields):
    """Baseline and candidate losses of documents of 100 to 2000 tokens; the candidate's is higher by `change`."""
    random = np.random.default_rng(seed)
    tokens = random.integers(100, 2000, documents)
    before = random.normal(2.0, 0.6, documents)
    after = before + change + random.normal(0, noise, documents)
    fields = {"weights": tuple(tokens.tolist())} | fields
    return nats(after.tolist(), version="v2", **fields), nats(before.tolist(), version="v1", **fields)


def test_a_better_model_passes(nats):
    """0.02 nats a token less."""
    verdict = decide_perplexity(*corpus(nats, -0.02))

    assert verdict.outcome is Outcome.IMPROVED
    assert verdict.method == "weighted_t"
    assert verdict.kind == "no_regression"


def test_a_worse_model_fails_and_is_recorded(nats):
    """Two percent more perplexity, of which one is allowed."""
    test = TestInProgress("test_perplexity")

    with in_progress(test), pytest.raises(ModelRegression, match=r"within the margin of 0\.00995033 nats/token$"):
        assert_perplexity_not_worse(*corpus(nats, math.log(1.02)))

    assert [verdict.outcome for verdict in test.verdicts] == [Outcome.REGRESSED]


def test_half_a_percent_passes_with_a_warning(nats):
    """Shown worse, and shown to stay within the margin."""
    assert decide_perplexity(*corpus(nats, 0.005)).outcome is Outcome.WORSE_WITHIN_MARGIN


def test_few_documents_are_inconclusive_and_say_how_many_it_takes(nats):
    """Six documents with a large spread show nothing."""
    verdict = decide_perplexity(*corpus(nats, 0.0, documents=6, noise=0.05))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.needed_cases > 6
    assert "cases would" in verdict.reason


def test_identical_outputs_of_few_documents_are_no_certainty(nats):
    """Without any difference the score bound says what six documents can show."""
    candidate, baseline = corpus(nats, documents=6, noise=0.0)

    assert decide_perplexity(candidate, baseline).outcome is Outcome.INCONCLUSIVE


def test_means_are_those_of_the_corpus(nats):
    """Σ weight·loss / Σ weight: (300·1 + 100·4)/400 = 1.75 and (300·1.1 + 100·4)/400 = 1.825."""
    fields = {"weights": (300, 100)}

    verdict = decide_perplexity(nats([1.1, 4.0], **fields), nats([1.0, 4.0], **fields))

    assert (verdict.baseline, verdict.candidate) == pytest.approx((1.75, 1.825))
    assert verdict.delta == pytest.approx(-0.075)


def test_equal_lengths_make_it_the_plain_gate(nats):
    """Token weighting changes nothing where all documents are equally long."""
    candidate, baseline = corpus(nats, 0.004, weights=(500,) * 60)

    ours, plain = decide_perplexity(candidate, baseline), decide_regression(candidate, baseline, margin=math.log(1.01))

    assert (ours.delta, ours.low, ours.high) == pytest.approx((plain.delta, plain.low, plain.high))
    assert ours.outcome is plain.outcome


def test_a_fault_in_long_documents_is_seen_by_tokens_only(nats):
    """Five of 60 documents hold half of the tokens and got 3 % worse: a mean of documents loses them in the crowd."""
    tokens = (11000,) * 5 + (1000,) * 55
    wobble = [0.001 * (place % 3 - 1) for place in range(60)]
    baseline = nats([2.0 + 0.01 * place for place in range(60)], weights=tokens)
    worse = [value + wobble[place] + (0.03 if place < 5 else 0.0) for place, value in enumerate(baseline.values)]

    by_tokens = decide_perplexity(nats(worse, weights=tokens), baseline)
    by_documents = decide_regression(nats(worse, weights=tokens), baseline, margin=math.log(1.01))

    assert by_documents.passed
    assert not by_tokens.passed
    assert by_tokens.delta == pytest.approx(-0.015, abs=0.001)


def test_one_document_that_outweighs_all_others_decides_nothing(nats):
    """A candidate better on all short documents and a little worse on the long one: no evidence either way."""
    tokens = (100_000,) + (100,) * 30
    baseline = nats([2.0 + 0.01 * place for place in range(31)], weights=tokens)
    values = [
        value + (0.005 if place == 0 else -0.2 - 0.01 * (place % 3)) for place, value in enumerate(baseline.values)
    ]

    verdict = decide_perplexity(nats(values, weights=tokens), baseline)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.evidence["statistics"]["effective_cases"] == pytest.approx(1.06, abs=0.01)


def test_clusters_are_the_units(nats):
    """Sixty pages of six books that move together are six."""
    books = tuple(f"b{place % 6}" for place in range(60))
    baseline = [2.0] * 60
    candidate = [2.0 + 0.004 * (place % 6 - 2.5) for place in range(60)]
    fields = {"weights": tuple(100 + place for place in range(60))}

    apart = decide_perplexity(nats(candidate, **fields), nats(baseline, **fields))
    books_apart = decide_perplexity(nats(candidate, clusters=books, **fields), nats(baseline, clusters=books, **fields))

    assert books_apart.method.startswith("weighted_cluster_t")
    assert books_apart.high - books_apart.low > 2 * (apart.high - apart.low)


def test_pairing_removes_the_spread_between_documents(nats):
    """Losses differ by 0.6 between documents, differences by 0.004: the interval is that of the differences."""
    verdict = decide_perplexity(*corpus(nats))

    # ± t(52)·0.004/√49: lengths uniform from 100 to 2000 make 60 documents worth about 49.
    assert (verdict.high - verdict.low) / 2 == pytest.approx(1.675 * 0.004 / math.sqrt(49), rel=0.25)


def test_fewer_than_a_hundred_tokens_are_refused(nats):
    """No text to measure on; the message counts."""
    scores = nats([2.0] * 9, weights=(11,) * 9)

    verdict = decide_perplexity(scores, scores)

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason == "99 tokens are scored; a weighted mean needs at least 100"


def test_scores_without_weights_are_refused(nats):
    """The message names functions whose scores have some."""
    scores = nats([2.0] * 20)

    with pytest.raises(ValueError, match=r"no weights; expected those of perplexity\(\) or bits_per_byte\(\)"):
        decide_perplexity(scores, scores)


def test_an_accuracy_is_no_loss(graded):
    """Higher is better there."""
    scores = graded([0.5] * 20, weights=(10,) * 20)

    with pytest.raises(ValueError, match=r"higher is better; expected a loss, for example perplexity\(llm, texts\)"):
        decide_perplexity(scores, scores)


def test_a_document_the_candidate_failed_makes_it_invalid(nats):
    """A loss has no worst value to count it with."""
    candidate, baseline = corpus(nats)
    failed = replace(candidate, values=(Unscored("NaN", failed=True), *candidate.values[1:]))

    assert decide_perplexity(failed, baseline).outcome is Outcome.INVALID


def test_the_verdict_follows_from_its_evidence(nats):
    """Weights and protocol survive JSON."""
    verdict = decide_perplexity(*corpus(nats, 0.004))

    assert recompute(json.loads(json.dumps(verdict.evidence, allow_nan=False))) == verdict


def test_evidence_without_weights_is_read_as_before(nats):
    """What earlier versions wrote has neither weights nor protocol."""
    scores = nats([2.0 + 0.1 * place for place in range(20)])
    evidence = decide_regression(scores, scores).evidence
    old = json.loads(json.dumps(evidence))
    for side in ("candidate", "baseline"):
        del old[side]["weights"]
    del old["parameters"]["weighted"]

    assert recompute(old).evidence == evidence


def test_the_tail_is_kept(nats):
    """The mean can be flat while one document in a hundred collapses."""
    baseline = nats([2.0 + 0.01 * place for place in range(100)], weights=(100,) * 100)
    worse = nats([*baseline.values[:-2], 6.0, 6.5], weights=(100,) * 100)

    verdict = decide_perplexity(worse, baseline)

    assert verdict.evidence["statistics"]["loss_p99"] > 3
    assert [each.id for each in verdict.worst] == ["c99", "c98"]


def test_swapping_the_sides_turns_the_interval(nats):
    """The gate prefers no version."""
    candidate, baseline = corpus(nats, 0.003)

    one, other = decide_perplexity(candidate, baseline), decide_perplexity(baseline, candidate)

    assert (one.delta, one.low, one.high) == pytest.approx((-other.delta, -other.high, -other.low))


@given(st.floats(-0.05, 0.05), st.integers(0, 20))
def test_a_wider_margin_never_fails_what_passed(nats, change, seed):
    """And the interval contains the estimate."""
    sides = corpus(nats, change, documents=30, seed=seed)

    narrow, wide = (decide_perplexity(*sides, margin=margin) for margin in (0.005, 0.02))

    assert narrow.low <= narrow.delta <= narrow.high
    assert wide.passed or not narrow.passed


def test_the_gate_passes_a_candidate_at_the_margin_rarely(nats):
    """Worse by exactly the margin, 400 corpora of 25 documents: passed in no more than 5 % and some."""
    passed = sum(
        decide_perplexity(*corpus(nats, math.log(1.01), documents=25, seed=seed, noise=0.01)).passed
        for seed in range(400)
    )

    assert 0.01 <= passed / 400 <= 0.08
