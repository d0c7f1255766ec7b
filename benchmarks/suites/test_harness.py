"""The documents of one workload as a user of the plugin would write them down: one item a case.

The environment says where the documents are and which workload is meant.
"""

import json
import os
from pathlib import Path

from pytest_llmval import cases, perplexity

WORKLOAD = os.environ["HARNESS_WORKLOAD"]
DOCUMENTS = Path(os.environ["HARNESS_FOLDER"]) / f"{WORKLOAD}.jsonl"

if WORKLOAD in {"choice", "letters"}:
    questions = cases(DOCUMENTS, prompt="{prompt}", choices="{choices}", answer="{answer}")

    @questions.each
    def test_prefers_an_option(response):
        assert response.choice is not None

elif WORKLOAD == "generation":
    prompts = cases(DOCUMENTS, prompt="{prompt}", max_tokens=64, stop=["\n"])

    @prompts.each
    def test_answers(response):
        assert response.error is None

else:
    texts = cases(DOCUMENTS, prompt="{prompt}")

    def test_is_predicted(llm):
        scores = perplexity(llm, texts)

        losses = zip(scores.ids, scores.values, scores.weights, strict=True)
        found = {name: [-loss * tokens] for name, loss, tokens in losses}
        Path(os.environ["HARNESS_FOUND"]).write_text(json.dumps(found))
