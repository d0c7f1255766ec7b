"""The handle `llm` on a real model, as a test meets it."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

EXAMPLES = Path(__file__).parents[2] / "example_suites"

SUITE = """
import math

import numpy as np
import pytest

ASKED = [{"role": "user", "content": "How long can I return an item?"}]


def test_one_prompt_gives_one_response_and_a_list_gives_a_list(llm):
    one = llm.generate("You can return", max_tokens=5)
    several = llm.generate(["You can return", "We ship"], max_tokens=5)

    assert one.text == several[0].text
    assert len(several) == 2
    assert one.usage.completion_tokens == len(one.token_ids) <= 5


def test_chat_goes_through_the_template(llm):
    rendered = llm.tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, tokenize=False)

    assert llm.chat(ASKED, max_tokens=8).token_ids == llm.generate(rendered, max_tokens=8).token_ids


def test_samples_have_seeds_of_their_own(llm):
    sampled = llm.chat(ASKED, n=4, temperature=2.0, seed=3, max_tokens=12)
    again = llm.chat(ASKED, temperature=2.0, seed=4, max_tokens=12)

    assert len(set(sampled.samples)) > 1
    assert sampled.samples[1] == again.text


def test_loglikelihood_is_the_sum_of_its_tokens(llm):
    scored = llm.loglikelihood("You can return any", " unused item")

    assert math.isclose(scored.logprob, sum(scored.token_logprobs), rel_tol=1e-6)
    assert scored.logprob < 0


def test_choose_prefers_the_likelier_text(llm):
    choice = llm.choose("You can return any unused item within", [" 45 days.", " zzzz qqqq."])

    assert choice.index == 0
    assert choice.logprobs[0] > choice.logprobs[1]


def test_perplexity_is_lower_for_texts_of_the_domain(llm):
    assert llm.perplexity("You can return any unused item.") < llm.perplexity("Quxx vlorb zint wexly frobb.")


def test_logits_have_a_row_a_token_and_a_column_a_word(llm):
    logits = llm.logits("You can return")

    assert logits.dtype == np.float32
    assert logits.shape == (len(llm.tokenizer("You can return").input_ids), len(llm.tokenizer))


def test_a_misspelt_parameter_is_refused(llm):
    with pytest.raises(TypeError, match="unexpected argument 'temperatur'"):
        llm.generate("x", temperatur=1.0)


def test_messages_given_as_a_prompt_are_explained(llm):
    with pytest.raises(TypeError, match="expected text or a list of texts; conversations go to .chat()"):
        llm.generate(ASKED)


def test_the_handle_names_itself(llm):
    assert llm.version == "v1"
    assert llm.capabilities.logits
    assert len(llm.fingerprint) == 64


def test_a_prompt_that_is_too_long_is_an_error_of_its_own(llm):
    short, long = llm.generate(["You can", "word " * 600], max_tokens=4)

    assert short.error is None
    assert "context" in long.error
"""


@pytest.fixture
def suite(pytester):
    """The suite above in a folder of its own."""
    pytester.makepyfile(test_llm=SUITE)
    return pytester


def test_the_handle_does_what_it_says(suite):
    """Each promise of the fixture `llm` holds on a trained model, and each direct call is recorded."""
    config = EXAMPLES / "llmval.toml"

    result = suite.runpytest_subprocess(f"--llmval-config={config}", "--model-version=v1", "--llmval-store=store")

    result.assert_outcomes(passed=11)
    (calls,) = (suite.path / "store").glob("runs/*/responses/calls-*.jsonl")
    records = [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()]
    assert {record["test"] for record in records} >= {"test_llm.py::test_samples_have_seeds_of_their_own"}
    assert not any(record["case_id"] for record in records)
