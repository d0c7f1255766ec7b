"""Models as they are: no invariance is broken, and the four of one shape hold bit by bit."""

from __future__ import annotations

import pytest
import torch

from pytest_llmval.scoring.tensors.invariances.batch import PAD_AMOUNTS
from pytest_llmval.scoring.tensors.invariances.batching import assert_batch_invariant
from pytest_llmval.scoring.tensors.invariances.causality import assert_causal
from pytest_llmval.scoring.tensors.invariances.decoding import assert_decode_matches_prefill
from pytest_llmval.scoring.tensors.invariances.determinism import assert_deterministic
from pytest_llmval.scoring.tensors.invariances.kv_consistency import assert_kv_consistent
from pytest_llmval.scoring.tensors.invariances.pad_content import assert_pad_content_irrelevant
from pytest_llmval.scoring.tensors.invariances.padding import assert_pad_invariant
from pytest_llmval.scoring.tensors.invariances.rows import assert_row_isolation, assert_row_permutation_equivariant
from pytest_llmval.scoring.tensors.invariances.shifting import assert_position_shift_invariant

NAMES = ("llama", "gpt2", "qwen2", "gemma3")
SAME_SHAPE = (
    assert_deterministic,
    assert_row_isolation,
    assert_row_permutation_equivariant,
    assert_causal,
    assert_pad_content_irrelevant,
)
OTHER_SHAPE = (assert_batch_invariant, assert_pad_invariant, assert_decode_matches_prefill, assert_kv_consistent)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", NAMES)
def test_invariances_of_one_shape_are_exact(fresh, prompts, name, attention, dtype):
    """Not a bit changes, in any dtype and with any attention (numerics.md §3.4, measured as e14)."""
    model = fresh(name, attention, dtype)

    reports = [check(model, prompts) for check in SAME_SHAPE]

    assert all(report.passed and report.bar.limit is None and report.deviation == 0 for report in reports)
    assert min(report.compared for report in reports) >= sum(map(len, prompts))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", NAMES)
def test_other_shapes_cost_a_tenth_of_what_is_allowed(fresh, prompts, name, attention):
    """Rounding of float32 stays far below the limit of 1e-5: measured at most 1.2e-6 over these models."""
    model = fresh(name, attention)

    reports = [check(model, prompts) for check in OTHER_SHAPE]

    assert all(0 < report.deviation < 3e-6 and report.bar.limit == 1e-5 for report in reports)


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma3"])
def test_rotary_models_see_distances_only(fresh, prompts, name):
    """Positions 1, 7 and 64 higher give the same logits."""
    report = assert_position_shift_invariant(fresh(name), prompts)

    assert (len(report.variants), report.passed) == (3, True)
    assert report.deviation < 3e-6


@pytest.mark.parametrize("rows", [slice(None), slice(1, 2)], ids=["batch", "batch of one"])
@pytest.mark.parametrize("name", NAMES)
def test_decoding_equals_prefill_with_every_schedule_padding_and_rollback(fresh, prompts, name, rows):
    """Chunks of 1, 2, 3, 7 and mixed, 1 and 3 tokens taken back, padding of 0 to 33 on both sides, one row or four."""
    chosen = [prompt[:8] for prompt in prompts[rows]]

    report = assert_decode_matches_prefill(fresh(name), chosen, amounts=(0, *PAD_AMOUNTS))

    paddings = 11 if len(chosen) == 1 else 12  # without padding one row is the same on both sides
    assert len(report.variants) == 5 * paddings + 2 * 5
    assert report.compared == len(report.variants) * sum(map(len, chosen))
    assert report.deviation < 3e-6
    assert report.notes == ()


def test_half_precision_is_judged_in_a_float32_copy(fresh, prompts):
    """The report says so, the limit is that of float32, and the model stays in bfloat16."""
    model = fresh(dtype=torch.bfloat16)

    reports = [check(model, prompts) for check in (*OTHER_SHAPE, assert_position_shift_invariant)]

    assert all(report.bar.limit == 1e-5 and report.deviation < 3e-6 for report in reports)
    assert all("judged in a float32 copy of LlamaForCausalLM" in str(report) for report in reports)
    assert model.dtype == torch.bfloat16


def test_half_precision_against_a_control_is_judged_as_it_is(fresh, prompts):
    """The control's own error under the same changes is the scale; here it is the same model."""
    model = fresh(dtype=torch.bfloat16)

    report = assert_pad_invariant(model, prompts, control=fresh(dtype=torch.bfloat16))

    assert 1e-3 < report.deviation < report.bar.limit < 0.2
    assert report.bar.why.startswith("3 x control 0.0")
    assert report.notes == ()


def test_a_report_says_what_was_compared(llama, prompts):
    """One line, without tensors."""
    report = assert_causal(llama, prompts)

    assert str(report) == "causality holds: 109 positions in 8 changes compared bit by bit, equal"
    assert report.failures == ()


def test_texts_are_read_by_the_tokenizer(llama, prompts, tokenizer):
    """And give what their ids give; so do arrays, tensors and a single prompt."""
    texts = [" ".join(f"w{token}" for token in row) for row in prompts]
    array = torch.tensor([row[:5] for row in prompts])

    by_text = assert_row_isolation(llama, texts, tokenizer=tokenizer)

    assert by_text.variants == assert_row_isolation(llama, prompts).variants
    assert assert_causal(llama, array).variants == assert_causal(llama, array.numpy()).variants
    assert assert_causal(llama, texts[0], tokenizer=tokenizer).compared == 1 + 2 + 3 + 4
    assert assert_causal(llama, prompts[0]).compared == 1 + 2 + 3 + 4


def test_a_function_is_as_good_as_a_model_where_no_cache_is_needed(llama, prompts):
    """It gets int64 tensors and may return the output, the logits or a NumPy array."""

    def logits(input_ids, attention_mask):
        return llama(input_ids=input_ids, attention_mask=attention_mask).logits

    checks = [*SAME_SHAPE, assert_batch_invariant, assert_pad_invariant]

    assert all(check(logits, prompts).passed for check in checks)
    assert assert_causal(lambda ids, mask: llama(ids, attention_mask=mask), prompts).passed
    assert assert_causal(lambda ids, mask: logits(ids, mask).numpy(), prompts).passed
