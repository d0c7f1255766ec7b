"""One `model.generate` a test: what such a suite looks like without the plugin."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

EXAMPLES = Path(__file__).parents[2] / "example_suites"
ROWS = [json.loads(line) for line in (EXAMPLES / "data" / "faq.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def model():
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(EXAMPLES / "models" / "v1").eval()


@pytest.fixture(scope="session")
def tokenizer():
    return AutoTokenizer.from_pretrained(EXAMPLES / "models" / "v1")


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_answers(row, model, tokenizer):
    messages = [{"role": "user", "content": row["question"]}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        output = model.generate(**prompt, max_new_tokens=48, do_sample=False)
    assert tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
