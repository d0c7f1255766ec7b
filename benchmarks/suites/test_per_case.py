"""One test a case, through the plugin."""

from pathlib import Path

from pytest_llmval import cases

EXAMPLES = Path(__file__).parents[2] / "example_suites"
faq = cases(EXAMPLES / "data" / "faq.jsonl", chat="{question}", max_tokens=48)


@faq.each
def test_answers(response):
    assert response.text
