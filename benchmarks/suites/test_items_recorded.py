"""One item a case through the plugin: `case` and `response`, both trivially checked."""

import os

from pytest_llmval import cases

keywords = cases(os.environ["KEYWORDS"], prompt="Where is {keyword}?", max_tokens=1)


@keywords.each
def test_answer(case, response):
    assert case["keyword"] in case.prompt
    assert response.finish_reason in {"stop", "length"}
