"""The public surface is what `__all__` says."""

import pytest_llmval


def test_all_names_are_there_and_no_other():
    """The names a suite may import: a change here is a change for users."""
    assert set(pytest_llmval.__all__) == {
        "Case",
        "CaseSet",
        "Choice",
        "InvalidComparison",
        "LlmvalDataWarning",
        "LlmvalStoreWarning",
        "LogLikelihood",
        "Message",
        "ModelRegression",
        "Outcome",
        "Request",
        "Response",
        "Scores",
        "Unscored",
        "Verdict",
        "assert_at_least",
        "assert_at_most",
        "assert_no_regression",
        "cases",
        "choice_accuracy",
        "exact_match",
        "perplexity",
        "rouge_l",
        "scored",
    }
    for name in pytest_llmval.__all__:
        assert getattr(pytest_llmval, name).__doc__, name


def test_verdict_errors_are_shown_without_a_module():
    """JUnit consumers print the class with its module; the headline starts with the verdict's own word."""
    assert pytest_llmval.ModelRegression.__module__ == "builtins"
    assert pytest_llmval.InvalidComparison.__module__ == "builtins"
    assert issubclass(pytest_llmval.ModelRegression, AssertionError)


def test_an_unknown_name_is_an_attribute_error():
    """As for any module."""
    assert not hasattr(pytest_llmval, "no_such_name")
