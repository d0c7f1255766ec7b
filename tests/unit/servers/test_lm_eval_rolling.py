"""Perplexity of long texts is lm-eval's, by the same protocol: figures and windows that lm-eval 0.4.13 gave."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.documents import cut_windows
from pytest_llmval.settings import ModelSettings

# Written by oracles/lm_eval_rolling.py with `add_bos_token=False`: by default lm-eval lets this tokenizer add a BOS
# after its own, and scores it; the corpus perplexity is then 5.814 in place of 5.661.
ORACLE = json.loads((Path(__file__).parent / "oracles" / "lm_eval_rolling.json").read_text(encoding="utf-8"))
MODEL = Path(__file__).parents[3] / "example_suites" / "models" / "v1"
PREFIX = 1000


@pytest.fixture(scope="module")
def found() -> Any:
    """Likelihoods of the oracle's texts under the example model v1."""
    engine = TransformersEngine(ModelSettings(name="v1", model=str(MODEL), dtype="float32"), batch_size=2)
    return engine.document_likelihood([each["text"] for each in ORACLE["documents"]])


@pytest.mark.models
def test_rolling_loglikelihood_of_each_text(found: Any) -> None:
    """The same sum over the same tokens, to 1e-6 of it; the first text has four windows."""
    expected = ORACLE["documents"]

    assert [each.tokens for each in found] == [each["tokens"] for each in expected]
    assert max(each.tokens for each in found) > 3 * ORACLE["max_length"]
    assert [each.logprob for each in found] == pytest.approx([each["loglikelihood"] for each in expected], rel=1e-6)


@pytest.mark.models
def test_perplexity_and_bits_per_byte_of_the_corpus(found: Any) -> None:
    """lm-eval's aggregations `weighted_perplexity`, over tokens, and `bits_per_byte`."""
    loss, tokens = -math.fsum(each.logprob for each in found), sum(each.tokens for each in found)
    size = sum(len(each["text"].encode()) for each in ORACLE["documents"])

    assert math.exp(loss / tokens) == pytest.approx(ORACLE["token_perplexity"], rel=1e-6)
    assert loss / size / math.log(2) == pytest.approx(ORACLE["bits_per_byte"], rel=1e-6)


@pytest.mark.parametrize("case", ORACLE["windows"], ids=lambda case: f"{case['length']}-{case['context']}")
def test_windows_with_context(case: Any) -> None:
    """A stride of 5 − context + 1 cuts as `get_rolling_token_windows` with that much context does."""
    windows = cut_windows([PREFIX, *range(case["length"])], 5, 5 - case["context"] + 1)

    ours = [[list(each.ids[:-1]), list(each.ids[-each.scored :])] for each in windows]
    assert ours == case["windows"]
