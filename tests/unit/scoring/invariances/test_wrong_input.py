"""Input that cannot be meant: refused before a verdict, with what would be right."""

from __future__ import annotations

import re

import pytest
import torch

from pytest_llmval.scoring.tensors.invariances.batching import assert_batch_invariant
from pytest_llmval.scoring.tensors.invariances.causality import assert_causal
from pytest_llmval.scoring.tensors.invariances.decoding import assert_decode_matches_prefill
from pytest_llmval.scoring.tensors.invariances.determinism import assert_deterministic
from pytest_llmval.scoring.tensors.invariances.kv_consistency import assert_kv_consistent
from pytest_llmval.scoring.tensors.invariances.pad_content import assert_pad_content_irrelevant
from pytest_llmval.scoring.tensors.invariances.padding import assert_pad_invariant
from pytest_llmval.scoring.tensors.invariances.rows import assert_row_isolation, assert_row_permutation_equivariant
from pytest_llmval.scoring.tensors.invariances.shifting import assert_position_shift_invariant

ALL = (
    assert_batch_invariant,
    assert_causal,
    assert_decode_matches_prefill,
    assert_deterministic,
    assert_kv_consistent,
    assert_pad_content_irrelevant,
    assert_pad_invariant,
    assert_position_shift_invariant,
    assert_row_isolation,
    assert_row_permutation_equivariant,
)


@pytest.mark.parametrize("check", ALL)
@pytest.mark.parametrize(
    ("prompts", "error", "message"),
    [
        ([], ValueError, "prompts is empty; expected texts, or one list of token ids a prompt, at least one"),
        ([[1, 2], []], ValueError, "prompt 1 has no tokens; expected at least one a prompt"),
        (["w1 w2"], ValueError, "prompts are texts, and there is no tokenizer to read them; give tokenizer=, or lists"),
        ([[1, 2], [3, 96]], ValueError, "prompt 1: token id 96 is outside the vocabulary of 96 (ids 0 to 95)"),
        ([[1, 2], [-1, 5]], ValueError, "prompt 1: token id -1 is outside the vocabulary"),
        ([[1, 2], [0.5, 1.0]], TypeError, "prompt 1 is [0.5, 1.0]; expected a text or a list of token ids"),
        ([[1, 2], None], TypeError, "prompt 1 is None; expected a text or a list of token ids"),
        ({"input_ids": [[1, 2]]}, TypeError, "prompts is a dict; expected texts, or one list of token ids a prompt"),
        (7, TypeError, "prompts is a int; expected texts"),
    ],
    ids=["none", "empty prompt", "no tokenizer", "id too large", "negative id", "floats", "None", "dict", "number"],
)
def test_prompts_that_cannot_be_meant_are_refused(llama, check, prompts, error, message):
    """By every check, in the same words."""
    with pytest.raises(error, match=re.escape(message)):
        check(llama, prompts)


@pytest.mark.parametrize(
    "check", [assert_causal, assert_decode_matches_prefill, assert_kv_consistent, assert_position_shift_invariant]
)
def test_one_token_is_too_short_where_two_are_needed(llama, check):
    """Nothing comes after it."""
    with pytest.raises(ValueError, match="prompt 1 has 1 of at least 2 tokens that are needed: "):
        check(llama, [[1, 2], [3]])


@pytest.mark.parametrize(
    "check", [assert_deterministic, assert_pad_content_irrelevant, assert_pad_invariant, assert_batch_invariant]
)
def test_one_token_is_enough_where_nothing_follows(llama, check):
    """One prompt of one token is padded, repeated and put in company."""
    assert check(llama, [[3]]).passed


@pytest.mark.parametrize("check", [assert_row_isolation, assert_row_permutation_equivariant])
@pytest.mark.parametrize("prompts", [[[1, 2]], [[1, 2], [1, 2]]])
def test_rows_need_company(llama, check, prompts):
    """One prompt, or the same twice, cannot be mixed up."""
    with pytest.raises(ValueError, match=f"{len(prompts)} prompts, of which 1 different; expected at least 2: "):
        check(llama, prompts)


@pytest.mark.parametrize("check", ALL)
def test_a_model_in_training_mode_is_refused(llama, prompts, check):
    """Dropout would be blamed on the batch."""
    with pytest.raises(
        ValueError, match=r"LlamaForCausalLM is in training mode, in which dropout .* call model.eval\(\)"
    ):
        check(llama.train(), prompts)


@pytest.mark.parametrize("check", ALL)
def test_what_is_no_model_is_refused(prompts, check):
    """A name, for example."""
    with pytest.raises(
        TypeError, match=r"model is a str; expected a torch.nn.Module, .* or a function f\(input_ids, at"
    ):
        check("models/v1", prompts)


def test_a_module_that_is_no_language_model_is_refused(prompts):
    """It takes neither token ids nor a mask."""
    with pytest.raises(
        ValueError, match=r"Linear.forward has no input_ids and no attention_mask; expected a causal lang"
    ):
        assert_causal(torch.nn.Linear(2, 2).eval(), prompts)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.ones(4, 96), "<lambda> returned shape (4, 96); expected logits of shape (4, 14, vocabulary)"),
        (torch.ones(4, 1, 96), "<lambda> returned shape (4, 1, 96); expected logits of shape (4, 14, vocabulary)"),
        ("logits", "<lambda> returned a str; expected logits of shape (4, 14, vocabulary)"),
    ],
)
def test_a_function_that_returns_no_logits_is_refused(prompts, output, message):
    """Only the last position, a text, and the like."""
    with pytest.raises(ValueError, match=re.escape(message)):
        assert_causal(lambda _ids, _mask: output, prompts)


def test_ids_beyond_a_functions_logits_are_refused(prompts):
    """A function has no vocabulary but the width of what it returns."""
    with pytest.raises(ValueError, match="prompt 0: token id 81 is outside the vocabulary of 50"):
        assert_causal(lambda ids, _mask: torch.ones(*ids.shape, 50), prompts)


def test_a_vocabulary_of_special_tokens_cannot_be_replaced(llama, tokenizer):
    """Two ordinary ids are the least."""
    tokenizer.all_special_ids = tuple(range(1, 96))

    with pytest.raises(
        ValueError, match="a vocabulary of 96 leaves 1 ordinary ids; expected at least 2 to replace token"
    ):
        assert_causal(llama, "w0 w1 w2", tokenizer=tokenizer)


@pytest.mark.parametrize("n", [0, 1])
def test_one_run_repeats_nothing(llama, prompts, n):
    """Determinism needs two."""
    with pytest.raises(ValueError, match=f"n={n}; expected a number of runs of at least 2"):
        assert_deterministic(llama, prompts, n=n)


@pytest.mark.parametrize("cuts", [[], [13], [-1]])
def test_cuts_must_leave_something_on_both_sides(llama, prompts, cuts):
    """From the first position to the last but one."""
    with pytest.raises(
        ValueError, match=re.escape(f"cuts={cuts!r}; expected positions from 0 to 12, the last but one")
    ):
        assert_causal(llama, prompts, cuts=cuts)
