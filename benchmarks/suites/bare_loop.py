"""The bare batched loop over the same prompts: sorted by length, 32 at a time, no tests, no records."""

import torch
from questions import EXAMPLES, MAX_TOKENS, read_questions
from transformers import AutoModelForCausalLM, AutoTokenizer

BATCH = 32


def main() -> None:
    """Answer all questions."""
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(EXAMPLES / "models" / "v1").eval()
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLES / "models" / "v1", padding_side="left")
    conversations = [[{"role": "user", "content": question}] for question in read_questions()]
    prompts = [
        tokenizer.apply_chat_template(each, add_generation_prompt=True, tokenize=False) for each in conversations
    ]
    prompts.sort(key=len, reverse=True)
    for start in range(0, len(prompts), BATCH):
        batch = tokenizer(prompts[start : start + BATCH], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=MAX_TOKENS, do_sample=False)
        tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


if __name__ == "__main__":
    main()
