"""One `model.generate` a test: what such a suite looks like without the plugin."""

import pytest
import torch
from questions import EXAMPLES, MAX_TOKENS, read_questions
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture(scope="session")
def model():
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(EXAMPLES / "models" / "v1").eval()


@pytest.fixture(scope="session")
def tokenizer():
    return AutoTokenizer.from_pretrained(EXAMPLES / "models" / "v1")


@pytest.mark.parametrize("question", read_questions())
def test_answers(question, model, tokenizer):
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        output = model.generate(**prompt, max_new_tokens=MAX_TOKENS, do_sample=False)
    assert tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
