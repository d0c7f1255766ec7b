"""One test a case, through the plugin."""

from questions import MAX_TOKENS, read_questions

from pytest_llmval import cases

rows = [{"id": f"q{number}", "question": question} for number, question in enumerate(read_questions())]
questions = cases(rows, chat="{question}", max_tokens=MAX_TOKENS)


@questions.each
def test_answers(response):
    assert response.text
