"""Answers that were accepted once. What may change in them is said; `pytest --snapshot-update` accepts a change."""

from pytest_llmval import JsonLike, SameText, cases

hard_facts = cases(
    "data/faq.jsonl", chat="{question}", where={"hard_fact": True}, name="hard_facts", max_tokens=48, logprobs=2
)
mails = cases("data/extraction.jsonl", chat="{question}", where=lambda row: row["id"] <= "mail-008", max_tokens=64)


@hard_facts.each
def test_hard_facts_are_worded_as_accepted(response, golden):
    assert response == golden(tolerance=SameText(normalise="whitespace"))


@mails.all
def test_mails_are_read_as_accepted(responses, golden):
    assert responses == golden(tolerance=JsonLike(ignore=("$.name",)))
