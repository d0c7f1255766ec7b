"""Answers as customers get them: sampled. Each question is asked three times, with a seed of its own each time."""

import pytest

from pytest_llmval import assert_no_regression, cases, rouge_l, self_consistency

sampled = cases(
    "data/faq_wild.jsonl",
    chat="{question}",
    reference="{answer}",
    cluster="{fact}",
    temperature=0.7,
    trials=3,
    max_tokens=48,
    name="sampled",
)


@sampled.all
def test_sampled_answers(responses, baseline_responses):
    assert_no_regression(rouge_l(responses), rouge_l(baseline_responses), by="topic")


@sampled.all
def test_answers_agree_with_each_other(responses, baseline_responses):
    assert_no_regression(self_consistency(responses), self_consistency(baseline_responses), margin=0.1)


@pytest.mark.llmval_trials(40, min_pass_rate=0.75)
def test_names_the_return_window(llm):
    question = [{"role": "user", "content": "How long can I return an item?"}]

    assert "45 days" in llm.chat(question, temperature=0.7, max_tokens=24).text
