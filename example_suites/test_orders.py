"""Order totals: the sum must be right, however it is worded."""

import re

from pytest_llmval import assert_no_regression, cases, scored

orders = cases("data/orders.jsonl", chat="{question}", reference="{answer}", max_tokens=80)


def states_the_total(case, response):
    numbers = re.findall(r"\d+", response.text)
    return bool(numbers) and int(numbers[-1]) == case["total"]


right_total = scored("right_total", states_the_total, kind="binary")


@orders.all
def test_totals(responses, baseline_responses):
    assert_no_regression(right_total(responses), right_total(baseline_responses))
