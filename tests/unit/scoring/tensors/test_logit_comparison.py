"""Logits: divergences, ranks, drift, and the gate."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.logits import assert_kl_below, compare_logits


def test_perplexity_is_over_next_tokens_of_each_row(logits, token_ids):
    """Position t predicts the token at t + 1: the label shift is made here, once, and the last position has none."""
    batch = logits.reshape(2, 60, 40)
    ids = token_ids.reshape(2, 60)
    log_p = torch.tensor(batch).log_softmax(-1)
    nll = -log_p[:, :-1].gather(-1, torch.tensor(ids[:, 1:, None]))

    found = compare_logits(batch, batch, token_ids=ids)

    assert found.positions == 2 * 59
    assert found.documents == 2
    assert found.observed.ppl_candidate.value == pytest.approx(float(nll.mean().exp()), rel=1e-12)
    assert found.observed.log_ratio.value == 0


def test_padding_is_left_out_with_the_token_before_it(logits, token_ids):
    """The token before padding has no next token."""
    mask = np.ones((1, 120))
    mask[:, 110:] = 0
    wrong = logits[None].copy()
    wrong[:, 110:] = np.nan

    found = compare_logits(wrong, logits[None], token_ids=token_ids[None], mask=mask)

    assert found.positions == 109
    assert compare_logits(wrong, logits[None], mask=mask).positions == 110


def test_without_token_ids_there_is_no_perplexity(candidate, logits):
    """And all else is there."""
    found = compare_logits(candidate, logits)

    assert found.observed is None
    assert found.observed_rank_shift is None
    assert "PPL" not in found.table
    assert "Mean    KLD:" in found.table


def test_equal_logits_differ_in_nothing(logits, token_ids):
    """Zero on itself."""
    found = compare_logits(logits, logits, token_ids=token_ids)

    assert (found.kl.maximum, found.kl_reverse.maximum, found.total_variation.maximum) == (0, 0, 0)
    assert (found.same_top, found.top_k_overlap.mean, found.rank_shift.maximum) == (1, 1, 0)
    assert (found.entropy_change.minimum, found.entropy_change.maximum) == (0, 0)
    assert (found.drift.gain, found.drift.temperature) == (pytest.approx(1), pytest.approx(1))
    assert found.worst == ()


def test_both_directions_are_reported(candidate, logits):
    """They are not the same number, and swapping the sides exchanges them."""
    found, swapped = compare_logits(candidate, logits), compare_logits(logits, candidate)

    assert found.kl.mean != found.kl_reverse.mean
    assert (found.kl, found.kl_reverse) == (swapped.kl_reverse, swapped.kl)
    assert found.entropy_change.mean == pytest.approx(-swapped.entropy_change.mean)


def test_a_temperature_is_told_from_a_change_of_ranking(candidate, logits):
    """Logits times 1.25 are the reference at temperature 0.8, and nothing remains once that is undone."""
    sharper = compare_logits(1.25 * logits, logits).drift
    noisy = compare_logits(candidate, logits).drift

    assert (sharper.gain, sharper.temperature) == (pytest.approx(1.25), pytest.approx(0.8))
    assert sharper.kl_at_temperature < 1e-12
    assert compare_logits(1.25 * logits, logits).entropy_change.mean < 0
    assert noisy.kl_at_temperature > 0.01


def test_ranks_and_overlap_by_hand():
    """The reference's first is the candidate's third; of the top 2 the candidate keeps one."""
    reference = np.tile([4.0, 3.0, 2.0, 1.0], (100, 1))
    candidate = np.tile([2.0, 4.0, 3.0, 1.0], (100, 1))

    found = compare_logits(candidate, reference, top_k=2)

    assert (found.same_top, found.top_k_overlap.mean, found.rank_shift.mean) == (0, 0.5, 2)
    assert compare_logits(candidate, reference, top_k=4).top_k_overlap.mean == 1


def test_fewer_than_100_positions_are_refused_with_the_reason(logits):
    """As llama-perplexity does."""
    with pytest.raises(InvalidComparison) as raised:
        compare_logits(logits[:99], logits[:99])

    assert str(raised.value) == (
        "logits cannot be compared: 99 positions count, at least 100 are needed for a mean that means something; "
        "give more or longer texts"
    )
    with pytest.raises(InvalidComparison, match="99 positions count"):
        compare_logits(logits[:100], logits[:100], token_ids=np.zeros(100, dtype=int))


def test_the_gate_passes_and_fails_at_its_limit(candidate, logits):
    """With the table and the worst positions in the message."""
    mean = compare_logits(candidate, logits).kl.mean

    assert assert_kl_below(candidate, logits, mean).kl.mean == mean
    with pytest.raises(ModelRegression) as raised:
        assert_kl_below(candidate, logits, mean * 0.999999, tokens=[f"t{place}" for place in range(120)])

    lines = str(raised.value).splitlines()
    assert re.fullmatch(
        r"mean KL\(reference \|\| candidate\) ([\d.]+) ± [\d.]+ nats/token, allowed (?!\1)[\d.]+ \(120 positions\)",
        lines[0],
    )
    assert "====== KL divergence statistics ======" in lines
    worst = compare_logits(candidate, logits).worst[0]
    assert any(
        line.startswith(f"KL {worst.kl:.3g} at [{worst.index[0]}] (token 't{worst.index[0]}'): ") for line in lines
    )


def test_the_gate_takes_other_measures_and_quantiles(candidate, logits):
    """A mean hides one position that is completely wrong; the maximum does not."""
    one = logits.copy()
    one[7] = -5 * one[7]

    assert assert_kl_below(one, logits, 1.0).kl.maximum > 5
    with pytest.raises(ModelRegression, match=r"^100 % quantile of JS divergence 0\.\d+ nats/token, allowed 0\.1 "):
        assert_kl_below(one, logits, 0.1, measure="js", at=1.0)
    with pytest.raises(ModelRegression, match=r"^mean KL\(candidate \|\| reference\)"):
        assert_kl_below(candidate, logits, 1e-6, measure="kl_reverse")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0.0}, "limit=0.0; expected nats a token above 0; for equal logits use assert_bitwise_equal"),
        ({"limit": 1, "measure": "tv"}, "measure='tv'; expected one of 'kl', 'kl_reverse', 'js'"),
        ({"limit": 1, "at": 0.98}, "at=0.98; expected 'mean' or one of 0.0, 0.001"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(logits, options, message):
    """Before anything is computed."""
    with pytest.raises(ValueError, match=re.escape(message)):
        assert_kl_below(logits, logits, **options)


def test_a_limit_below_the_rounding_of_the_logits_is_refused(logits):
    """bfloat16 logits: rounding them once costs about what the report estimates, so less cannot be asked for."""
    exact = torch.tensor(8 * logits)
    rounded = compare_logits(exact.bfloat16().double(), exact)
    estimate = compare_logits(exact.bfloat16(), exact).rounding_kl

    assert rounded.kl.mean == pytest.approx(estimate, rel=0.5)
    with pytest.raises(ValueError, match=r"limit=1e-09 cannot be met: rounding logits of this size to torch.bfloat16"):
        assert_kl_below(exact.bfloat16(), exact, 1e-9)


def test_nan_logits_are_a_regression_of_the_candidate(logits):
    """And make the reference useless; a mean over the other positions would hide them."""
    broken = logits.copy()
    broken[17, 3] = np.nan

    with pytest.raises(ModelRegression, match=r"candidate logits: NaN, \+Inf or nothing but -Inf at position \[17\]"):
        compare_logits(broken, logits)
    with pytest.raises(InvalidComparison, match=r"reference logits: NaN, \+Inf .* at position \[17\]"):
        compare_logits(logits, broken)


def test_forbidden_tokens_are_read(logits, token_ids):
    """−Inf on both sides is no difference; on the candidate's alone the divergence is infinite and fails."""
    both = logits.copy()
    both[:, 5] = -np.inf

    assert compare_logits(both, both, token_ids=token_ids).kl.maximum == 0
    found = compare_logits(both, logits, token_ids=token_ids)
    assert (found.kl.mean, found.observed.ppl_candidate.value) == (math.inf, math.inf)
    assert "Mean    KLD:        inf ±        inf" in found.table
    with pytest.raises(ModelRegression, match=r"mean KL\(reference \|\| candidate\) inf ± inf nats/token, allowed 5"):
        assert_kl_below(both, logits, 5.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: {"candidate": z[:, :39]}, r"shape expected (120, 40) -> actual (120, 39); the vocabularies differ"),
        (lambda z: {"candidate": z[:119]}, "the prompts were not cut into the same tokens, and nothing is truncated"),
    ],
)
def test_different_shapes_are_never_truncated(logits, change, message):
    """zip() in other suites drops what is left over."""
    with pytest.raises(InvalidComparison, match=re.escape(message)):
        compare_logits(**({"candidate": logits, "reference": logits} | change(logits)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_ids": [1, 2]}, "token_ids of shape (2,) and dtype int64; expected integers of shape (120,)"),
        ({"token_ids": [40] * 120}, "token_ids: 40 is outside the vocabulary of 40; mask padding by mask="),
        ({"token_ids": [-100] * 120}, "token_ids: -100 is outside the vocabulary of 40"),
        ({"mask": [True]}, "mask of shape (1,); expected (120,), one entry a position"),
        ({"top_k": 41}, "top_k=41; expected an integer from 1 to 40, the size of the vocabulary"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(logits, options, message):
    """Each with what would fit."""
    with pytest.raises(ValueError, match=re.escape(message)):
        compare_logits(logits, logits, **options)


def test_one_axis_is_no_logits():
    """A vocabulary alone has no positions."""
    with pytest.raises(ValueError, match=r"candidate logits of shape \(5,\); expected \[positions, vocabulary\]"):
        compare_logits([1.0] * 5, [1.0] * 5)


def test_torch_numpy_and_lists_give_the_same_numbers(candidate, logits, token_ids):
    """In blocks or at once, in any container."""
    expected = compare_logits(candidate, logits, token_ids=token_ids)

    by_torch = compare_logits(torch.tensor(candidate), torch.tensor(logits), token_ids=torch.tensor(token_ids))
    by_lists = compare_logits(candidate.tolist(), logits.tolist(), token_ids=token_ids.tolist())

    assert by_torch == expected
    assert by_lists.kl == expected.kl


def test_blocks_do_not_change_the_numbers(candidate, logits, token_ids, monkeypatch):
    """Large vocabularies are read piece by piece."""
    expected = compare_logits(candidate, logits, token_ids=token_ids)

    monkeypatch.setattr("pytest_llmval.scoring.tensors.logit_rows._BLOCK", 100)
    found = compare_logits(candidate, logits, token_ids=token_ids)

    assert found.kl == expected.kl
    assert found.observed == expected.observed
    assert found.drift.temperature == pytest.approx(expected.drift.temperature)
