"""The public surface as a user writes it: type-checked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval import (
    Case,
    CaseSet,
    Response,
    Scores,
    Unscored,
    Verdict,
    assert_at_least,
    assert_equivalent,
    assert_improved,
    assert_no_regression,
    assert_same_answers,
    cases,
    choice_accuracy,
    exact_match,
    perplexity,
    rouge_l,
    scored,
)

if TYPE_CHECKING:
    from pytest_llmval.llm import LLM
    from pytest_llmval.records.response_set import ResponseSet

faq: CaseSet = cases("faq.jsonl", chat="{question}", reference="{answer}", max_tokens=48, stop=["\n"])
worded: CaseSet = cases("faq.jsonl", prompt={"short": "{question}", "long": "Answer this: {question}"}, trials=3)


def words(case: Case, response: Response) -> float | Unscored:
    """A user's own metric."""
    return len(response.text.split()) if case["counts"] else Unscored("does not count")


metric = scored("words", words, unit="words", higher_is_better=False, bounds=None)


@faq.each
def test_each(case: Case, response: Response) -> None:
    """One case."""
    assert case["keyword"] in response.text


@faq.all
def test_all(responses: ResponseSet, baseline_responses: ResponseSet, llm: LLM) -> None:
    """One gate."""
    verdict: Verdict = assert_no_regression(rouge_l(responses), rouge_l(baseline_responses), margin=0.02)
    assert verdict.passed
    assert_no_regression(rouge_l(responses), rouge_l(baseline_responses), relative_margin=0.02, by="tag")
    assert_improved(rouge_l(responses), rouge_l(baseline_responses), minimum=0.01, estimand="suite")
    assert_equivalent(rouge_l(responses), rouge_l(baseline_responses), margin=0.02)
    assert_same_answers(responses, baseline_responses, max_share=0.02, normalise=str.strip)
    scores: Scores = exact_match(responses)
    assert_at_least(scores, 0.5)
    assert_at_least(choice_accuracy(responses, length_normalised=True), 0.5)
    assert_at_least(metric(responses), 1)
    assert_no_regression(perplexity(llm, ["text"]), perplexity(llm, faq))
