"""Multiple choice by likelihood: the options stand in the prompt, the model picks the most probable one."""

from pytest_llmval import assert_at_least, assert_no_regression, cases, choice_accuracy

quiz = cases("data/quiz.jsonl", chat="{question}", choices="{options}", answer="{gold}")


@quiz.all
def test_accuracy_does_not_regress(responses, baseline_responses):
    assert_no_regression(choice_accuracy(responses), choice_accuracy(baseline_responses))


@quiz.all
def test_accuracy_is_far_above_chance(responses):
    assert_at_least(choice_accuracy(responses), 0.6)
