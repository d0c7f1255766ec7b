"""Below the text: logits are finite and deterministic, and agree with the baseline where the weights must."""

import numpy as np
import pytest
import torch

from pytest_llmval import Tol, assert_finite, assert_kl_below, assert_layers_close, assert_weights_match, cases

PROMPTS = [case["text"] for case in cases("data/documents.jsonl", prompt="{text}")[:20]]


@pytest.mark.parametrize("prompt", PROMPTS[:3])
def test_logits_are_finite(llm, prompt):
    assert_finite(llm.logits(prompt))


def test_logits_are_deterministic(llm):
    assert np.array_equal(llm.logits(PROMPTS[0]), llm.logits(PROMPTS[0]))


@pytest.mark.llmval_same_weights
def test_weights_agree(torch_model, baseline_torch_model):
    weights, expected = torch_model.state_dict(), baseline_torch_model.state_dict()

    assert_weights_match(
        weights, expected, tol=Tol.ulp(1), check_dtype=False
    )  # a unit in the last place of the coarser


@pytest.mark.llmval_same_weights
def test_next_token_distributions_agree(llm, baseline_llm):
    candidate, baseline = (np.concatenate([each.logits(prompt) for prompt in PROMPTS]) for each in (llm, baseline_llm))

    assert_kl_below(candidate, baseline, 1e-3)  # nats, mean over all positions


@pytest.mark.llmval_same_weights
def test_layers_agree(torch_model, baseline_torch_model, tokenizer):
    assert_layers_close(torch_model, baseline_torch_model, PROMPTS[:8], tokenizer=tokenizer)


def test_tokenizers_agree(tokenizer, baseline_tokenizer):
    for prompt in PROMPTS:
        assert tokenizer(prompt).input_ids == baseline_tokenizer(prompt).input_ids


def test_chat_templates_agree(tokenizer, baseline_tokenizer):
    conversation = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]

    actual, expected = (
        each.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        for each in (tokenizer, baseline_tokenizer)
    )

    assert actual == expected


def test_a_later_token_has_no_influence_on_an_earlier_position(torch_model, tokenizer):
    ids = tokenizer(PROMPTS[0], return_tensors="pt").input_ids

    with torch.inference_mode():
        whole, prefix = (torch_model(each).logits[0, :5].float() for each in (ids, ids[:, :5]))

    tolerance = 1e-4 if torch_model.dtype == torch.float32 else 0.1
    torch.testing.assert_close(whole, prefix, rtol=tolerance, atol=tolerance)
