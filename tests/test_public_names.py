"""The public surface is what `__all__` says."""

import pytest_llmval


def test_all_names_are_there_and_no_other():
    """The names a suite may import: a change here is a change for users."""
    assert set(pytest_llmval.__all__) == {
        "Case",
        "CaseSet",
        "ChatTemplateProfile",
        "Choice",
        "Confidences",
        "InvalidComparison",
        "InvarianceReport",
        "LayerLimits",
        "LayerReport",
        "LlmvalDataWarning",
        "LlmvalStoreWarning",
        "LogLikelihood",
        "Message",
        "ModelRegression",
        "Outcome",
        "Request",
        "Response",
        "Scores",
        "TokenizerProfile",
        "Tol",
        "Unscored",
        "Verdict",
        "assert_at_least",
        "assert_at_most",
        "assert_batch_invariant",
        "assert_bitwise_equal",
        "assert_calibrated",
        "assert_causal",
        "assert_chat_template_contract",
        "assert_chat_templates_equal",
        "assert_cosine",
        "assert_decode_matches_prefill",
        "assert_deterministic",
        "assert_equivalent",
        "assert_finite",
        "assert_improved",
        "assert_incremental_detok_equals_full",
        "assert_kl_below",
        "assert_kl_not_above",
        "assert_kv_cache_valid",
        "assert_kv_consistent",
        "assert_layers_close",
        "assert_loss_partition_invariant",
        "assert_no_flips",
        "assert_no_regression",
        "assert_pad_content_irrelevant",
        "assert_pad_invariant",
        "assert_perplexity_not_worse",
        "assert_position_shift_invariant",
        "assert_quantization_error",
        "assert_rel_l2",
        "assert_row_isolation",
        "assert_row_permutation_equivariant",
        "assert_same_answers",
        "assert_same_structure",
        "assert_special_tokens_policy",
        "assert_stop_strings_respected",
        "assert_tensors_close",
        "assert_tokenizer_contract",
        "assert_tokenizers_equal",
        "assert_ulp_close",
        "assert_vocab_compatible",
        "assert_weights_match",
        "assert_within_control",
        "bits_per_byte",
        "calibration",
        "cases",
        "check_chat_template",
        "check_tokenizer",
        "choice_accuracy",
        "choice_brier",
        "choice_confidence",
        "choice_nll",
        "classify_divergence",
        "compare_bits",
        "compare_chat_templates",
        "compare_cosine",
        "compare_finite",
        "compare_incremental_detok",
        "compare_layers",
        "compare_logits",
        "compare_loss_partitions",
        "compare_quantization",
        "compare_rel_l2",
        "compare_special_tokens_policy",
        "compare_stop_strings",
        "compare_structure",
        "compare_tensors",
        "compare_tokenizers",
        "compare_top_logprobs",
        "compare_ulps",
        "compare_vocab",
        "compare_weights",
        "compare_within_control",
        "corpus_perplexity",
        "exact_match",
        "flips_of",
        "inspect_kv_cache",
        "perplexity",
        "probe_chat_template",
        "probe_tokenizer",
        "profile_from_json",
        "rouge_l",
        "scored",
        "summed_loss",
        "tokenizer_corpus",
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


def test_the_statistics_are_public():
    """Under these names they are called from suites; there may be more."""
    from pytest_llmval import statistics

    assert set(statistics.__all__) >= {
        "benjamini_hochberg",
        "clopper_pearson_interval",
        "clustered_interval",
        "cohen_kappa",
        "e_process_binary",
        "e_process_bounded",
        "fleiss_kappa",
        "gwet_ac1",
        "holm",
        "krippendorff_alpha",
        "mcnemar_exact",
        "mcnemar_midp",
        "minimal_detectable_effect",
        "paired_t_interval",
        "required_n",
        "sign_flip_p",
        "tango_interval",
        "wilson_interval",
    }
    assert all(hasattr(statistics, name) for name in statistics.__all__)
