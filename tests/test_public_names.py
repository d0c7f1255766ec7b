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
        "Tol",
        "Unscored",
        "Verdict",
        "assert_at_least",
        "assert_at_most",
        "assert_bitwise_equal",
        "assert_cosine",
        "assert_finite",
        "assert_kl_below",
        "assert_kl_not_above",
        "assert_no_flips",
        "assert_no_regression",
        "assert_quantization_error",
        "assert_rel_l2",
        "assert_same_structure",
        "assert_tensors_close",
        "assert_ulp_close",
        "assert_weights_match",
        "assert_within_control",
        "cases",
        "choice_accuracy",
        "classify_divergence",
        "compare_bits",
        "compare_cosine",
        "compare_finite",
        "compare_logits",
        "compare_quantization",
        "compare_rel_l2",
        "compare_structure",
        "compare_tensors",
        "compare_top_logprobs",
        "compare_ulps",
        "compare_weights",
        "compare_within_control",
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
