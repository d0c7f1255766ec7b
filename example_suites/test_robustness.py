"""Small changes of a question should not change its answer; how often they do is measured."""

from pytest_llmval import (
    assert_at_most,
    assert_no_regression,
    cases,
    relation,
    search_violation,
    typos,
    violations,
    white_space,
)

QUESTION = {"chat": "{question}", "reference": "{answer}", "cluster": "{fact}", "max_tokens": 48}

faq = cases("data/faq.jsonl", **QUESTION)
hard_facts = cases("data/faq.jsonl", where={"hard_fact": True}, name="hard_facts", **QUESTION)
marks = relation("marks", lambda question: [question.rstrip("?.!") + mark for mark in ("", "??", "!")])
mistyped = faq.perturbed(typos(), times=2)
spaced = faq.perturbed(white_space(), times=1)


@mistyped.all
def test_typos_matter_no_more_often(responses, baseline_responses):
    assert_no_regression(violations(responses), violations(baseline_responses))


@mistyped.all
def test_most_typos_do_not_matter(responses):
    assert_at_most(violations(responses), 0.25)


@spaced.all
def test_white_space_does_not_matter(responses):
    assert_at_most(violations(responses), 0.10)


def test_no_other_mark_changes_a_hard_fact(llm):
    # Hypothesis looks for the smallest change that does; what it asked is recorded, and replayed in the next run.
    assert search_violation(llm, hard_facts, marks, tries=3) is None
