"""From a customer's mail to JSON: it must parse, and its fields must be right."""

import json

from pytest_llmval import assert_no_regression, cases, scored

mails = cases("data/extraction.jsonl", chat="{question}", reference="{fields}", max_tokens=64)


def share_of_right_fields(case, response):
    try:
        found = json.loads(response.text)
    except ValueError:
        return 0.0
    if not isinstance(found, dict):
        return 0.0
    return sum(found.get(name) == value for name, value in case["fields"].items()) / len(case["fields"])


right_fields = scored("right_fields", share_of_right_fields)


@mails.all
def test_fields(responses, baseline_responses):
    assert_no_regression(right_fields(responses), right_fields(baseline_responses))
