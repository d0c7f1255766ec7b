"""The bare batched loop over the same prompts: sorted by length, 32 at a time, no tests, no records."""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

EXAMPLES = Path(__file__).parents[2] / "example_suites"
BATCH = 32


def main() -> None:
    """Answer all questions."""
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(EXAMPLES / "models" / "v1").eval()
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLES / "models" / "v1", padding_side="left")
    lines = (EXAMPLES / "data" / "faq.jsonl").read_text(encoding="utf-8").splitlines()
    conversations = [[{"role": "user", "content": json.loads(line)["question"]}] for line in lines]
    prompts = [
        tokenizer.apply_chat_template(each, add_generation_prompt=True, tokenize=False) for each in conversations
    ]
    prompts.sort(key=len, reverse=True)
    for start in range(0, len(prompts), BATCH):
        batch = tokenizer(prompts[start : start + BATCH], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=48, do_sample=False)
        tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


if __name__ == "__main__":
    main()
