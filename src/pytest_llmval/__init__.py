"""Regression testing of large language models with pytest: may this version replace that one?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression

if TYPE_CHECKING:
    from pytest_llmval.asserts import (
        assert_at_least,
        assert_at_most,
        assert_calibrated,
        assert_equivalent,
        assert_improved,
        assert_no_regression,
        assert_perplexity_not_worse,
        assert_same_answers,
    )
    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.checks import LlmvalDataWarning
    from pytest_llmval.case_sets.loading import cases
    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.numeric_asserts import (
        assert_kl_below,
        assert_layers_close,
        assert_no_flips,
        assert_weights_match,
    )
    from pytest_llmval.records.store import LlmvalStoreWarning
    from pytest_llmval.scoring.calibration import Confidences, choice_brier, choice_confidence, choice_nll
    from pytest_llmval.scoring.calibration_report import calibration
    from pytest_llmval.scoring.choice import choice_accuracy
    from pytest_llmval.scoring.score import Scores, Unscored
    from pytest_llmval.scoring.scored import scored
    from pytest_llmval.scoring.serving.cost import cost
    from pytest_llmval.scoring.serving.parsing import parsed
    from pytest_llmval.scoring.serving.timing import first_token_latency, latency, queue_time, time_per_token
    from pytest_llmval.scoring.serving.tokens import tokens_used
    from pytest_llmval.scoring.tensors.closeness import (
        assert_bitwise_equal,
        assert_tensors_close,
        assert_ulp_close,
        compare_bits,
        compare_tensors,
        compare_ulps,
    )
    from pytest_llmval.scoring.tensors.control import assert_within_control, compare_within_control
    from pytest_llmval.scoring.tensors.divergence import classify_divergence
    from pytest_llmval.scoring.tensors.finite import assert_finite, compare_finite
    from pytest_llmval.scoring.tensors.invariances.batching import assert_batch_invariant
    from pytest_llmval.scoring.tensors.invariances.causality import assert_causal
    from pytest_llmval.scoring.tensors.invariances.decoding import assert_decode_matches_prefill
    from pytest_llmval.scoring.tensors.invariances.determinism import assert_deterministic
    from pytest_llmval.scoring.tensors.invariances.kv_consistency import assert_kv_consistent
    from pytest_llmval.scoring.tensors.invariances.kv_validity import assert_kv_cache_valid, inspect_kv_cache
    from pytest_llmval.scoring.tensors.invariances.pad_content import assert_pad_content_irrelevant
    from pytest_llmval.scoring.tensors.invariances.padding import assert_pad_invariant
    from pytest_llmval.scoring.tensors.invariances.report import InvarianceReport
    from pytest_llmval.scoring.tensors.invariances.rows import assert_row_isolation, assert_row_permutation_equivariant
    from pytest_llmval.scoring.tensors.invariances.shifting import assert_position_shift_invariant
    from pytest_llmval.scoring.tensors.layers.compare import compare_layers
    from pytest_llmval.scoring.tensors.layers.judging import LayerLimits
    from pytest_llmval.scoring.tensors.layers.report import LayerReport
    from pytest_llmval.scoring.tensors.logits import compare_logits
    from pytest_llmval.scoring.tensors.losses import (
        assert_loss_partition_invariant,
        compare_loss_partitions,
        summed_loss,
    )
    from pytest_llmval.scoring.tensors.norms import assert_cosine, assert_rel_l2, compare_cosine, compare_rel_l2
    from pytest_llmval.scoring.tensors.quantization import assert_quantization_error, compare_quantization
    from pytest_llmval.scoring.tensors.structure import assert_same_structure, compare_structure
    from pytest_llmval.scoring.tensors.tolerances import Tol
    from pytest_llmval.scoring.tensors.top_logprobs import assert_kl_not_above, compare_top_logprobs
    from pytest_llmval.scoring.tensors.weights import compare_weights
    from pytest_llmval.scoring.text.exact import exact_match
    from pytest_llmval.scoring.text.rouge import rouge_l
    from pytest_llmval.scoring.tokens.capabilities import flips_of, profile_from_json
    from pytest_llmval.scoring.tokens.chat_template.contract import assert_chat_template_contract, check_chat_template
    from pytest_llmval.scoring.tokens.chat_template.equality import assert_chat_templates_equal, compare_chat_templates
    from pytest_llmval.scoring.tokens.chat_template.probing import probe_chat_template
    from pytest_llmval.scoring.tokens.chat_template.profile import ChatTemplateProfile
    from pytest_llmval.scoring.tokens.corpus import corpus_perplexity
    from pytest_llmval.scoring.tokens.perplexity import bits_per_byte, perplexity
    from pytest_llmval.scoring.tokens.tokenizer.contract import assert_tokenizer_contract, check_tokenizer
    from pytest_llmval.scoring.tokens.tokenizer.corpus import tokenizer_corpus
    from pytest_llmval.scoring.tokens.tokenizer.equality import assert_tokenizers_equal, compare_tokenizers
    from pytest_llmval.scoring.tokens.tokenizer.model_vocabulary import assert_vocab_compatible, compare_vocab
    from pytest_llmval.scoring.tokens.tokenizer.probing import probe_tokenizer
    from pytest_llmval.scoring.tokens.tokenizer.profile import TokenizerProfile
    from pytest_llmval.scoring.tokens.tokenizer.special_tokens import (
        assert_special_tokens_policy,
        compare_special_tokens_policy,
    )
    from pytest_llmval.scoring.tokens.tokenizer.stop_strings import assert_stop_strings_respected, compare_stop_strings
    from pytest_llmval.scoring.tokens.tokenizer.streaming import (
        assert_incremental_detok_equals_full,
        compare_incremental_detok,
    )
    from pytest_llmval.servers.exchange import Choice, LogLikelihood, Request, Response
    from pytest_llmval.serving_asserts import assert_latency, assert_throughput
    from pytest_llmval.verdicts.verdict import Outcome, Verdict

_HOMES = {
    "Case": "case_sets.case",
    "CaseSet": "case_sets.case",
    "ChatTemplateProfile": "scoring.tokens.chat_template.profile",
    "Choice": "servers.exchange",
    "Confidences": "scoring.calibration",
    "InvarianceReport": "scoring.tensors.invariances.report",
    "LayerLimits": "scoring.tensors.layers.judging",
    "LayerReport": "scoring.tensors.layers.report",
    "LlmvalDataWarning": "case_sets.checks",
    "LlmvalStoreWarning": "records.store",
    "LogLikelihood": "servers.exchange",
    "Message": "case_sets.message",
    "Outcome": "verdicts.verdict",
    "Request": "servers.exchange",
    "Response": "servers.exchange",
    "Scores": "scoring.score",
    "TokenizerProfile": "scoring.tokens.tokenizer.profile",
    "Tol": "scoring.tensors.tolerances",
    "Unscored": "scoring.score",
    "Verdict": "verdicts.verdict",
    "assert_at_least": "asserts",
    "assert_at_most": "asserts",
    "assert_batch_invariant": "scoring.tensors.invariances.batching",
    "assert_bitwise_equal": "scoring.tensors.closeness",
    "assert_calibrated": "asserts",
    "assert_causal": "scoring.tensors.invariances.causality",
    "assert_chat_template_contract": "scoring.tokens.chat_template.contract",
    "assert_chat_templates_equal": "scoring.tokens.chat_template.equality",
    "assert_cosine": "scoring.tensors.norms",
    "assert_decode_matches_prefill": "scoring.tensors.invariances.decoding",
    "assert_deterministic": "scoring.tensors.invariances.determinism",
    "assert_equivalent": "asserts",
    "assert_finite": "scoring.tensors.finite",
    "assert_improved": "asserts",
    "assert_incremental_detok_equals_full": "scoring.tokens.tokenizer.streaming",
    "assert_kl_below": "numeric_asserts",
    "assert_kl_not_above": "scoring.tensors.top_logprobs",
    "assert_kv_cache_valid": "scoring.tensors.invariances.kv_validity",
    "assert_kv_consistent": "scoring.tensors.invariances.kv_consistency",
    "assert_latency": "serving_asserts",
    "assert_layers_close": "numeric_asserts",
    "assert_loss_partition_invariant": "scoring.tensors.losses",
    "assert_no_flips": "numeric_asserts",
    "assert_no_regression": "asserts",
    "assert_pad_content_irrelevant": "scoring.tensors.invariances.pad_content",
    "assert_pad_invariant": "scoring.tensors.invariances.padding",
    "assert_perplexity_not_worse": "asserts",
    "assert_position_shift_invariant": "scoring.tensors.invariances.shifting",
    "assert_quantization_error": "scoring.tensors.quantization",
    "assert_rel_l2": "scoring.tensors.norms",
    "assert_row_isolation": "scoring.tensors.invariances.rows",
    "assert_row_permutation_equivariant": "scoring.tensors.invariances.rows",
    "assert_same_answers": "asserts",
    "assert_same_structure": "scoring.tensors.structure",
    "assert_special_tokens_policy": "scoring.tokens.tokenizer.special_tokens",
    "assert_stop_strings_respected": "scoring.tokens.tokenizer.stop_strings",
    "assert_tensors_close": "scoring.tensors.closeness",
    "assert_throughput": "serving_asserts",
    "assert_tokenizer_contract": "scoring.tokens.tokenizer.contract",
    "assert_tokenizers_equal": "scoring.tokens.tokenizer.equality",
    "assert_ulp_close": "scoring.tensors.closeness",
    "assert_vocab_compatible": "scoring.tokens.tokenizer.model_vocabulary",
    "assert_weights_match": "numeric_asserts",
    "assert_within_control": "scoring.tensors.control",
    "bits_per_byte": "scoring.tokens.perplexity",
    "calibration": "scoring.calibration_report",
    "cases": "case_sets.loading",
    "check_chat_template": "scoring.tokens.chat_template.contract",
    "check_tokenizer": "scoring.tokens.tokenizer.contract",
    "choice_accuracy": "scoring.choice",
    "choice_brier": "scoring.calibration",
    "choice_confidence": "scoring.calibration",
    "choice_nll": "scoring.calibration",
    "classify_divergence": "scoring.tensors.divergence",
    "compare_bits": "scoring.tensors.closeness",
    "compare_chat_templates": "scoring.tokens.chat_template.equality",
    "compare_cosine": "scoring.tensors.norms",
    "compare_finite": "scoring.tensors.finite",
    "compare_incremental_detok": "scoring.tokens.tokenizer.streaming",
    "compare_layers": "scoring.tensors.layers.compare",
    "compare_logits": "scoring.tensors.logits",
    "compare_loss_partitions": "scoring.tensors.losses",
    "compare_quantization": "scoring.tensors.quantization",
    "compare_rel_l2": "scoring.tensors.norms",
    "compare_special_tokens_policy": "scoring.tokens.tokenizer.special_tokens",
    "compare_stop_strings": "scoring.tokens.tokenizer.stop_strings",
    "compare_structure": "scoring.tensors.structure",
    "compare_tensors": "scoring.tensors.closeness",
    "compare_tokenizers": "scoring.tokens.tokenizer.equality",
    "compare_top_logprobs": "scoring.tensors.top_logprobs",
    "compare_ulps": "scoring.tensors.closeness",
    "compare_vocab": "scoring.tokens.tokenizer.model_vocabulary",
    "compare_weights": "scoring.tensors.weights",
    "compare_within_control": "scoring.tensors.control",
    "corpus_perplexity": "scoring.tokens.corpus",
    "cost": "scoring.serving.cost",
    "exact_match": "scoring.text.exact",
    "first_token_latency": "scoring.serving.timing",
    "flips_of": "scoring.tokens.capabilities",
    "inspect_kv_cache": "scoring.tensors.invariances.kv_validity",
    "latency": "scoring.serving.timing",
    "parsed": "scoring.serving.parsing",
    "perplexity": "scoring.tokens.perplexity",
    "probe_chat_template": "scoring.tokens.chat_template.probing",
    "probe_tokenizer": "scoring.tokens.tokenizer.probing",
    "profile_from_json": "scoring.tokens.capabilities",
    "queue_time": "scoring.serving.timing",
    "rouge_l": "scoring.text.rouge",
    "scored": "scoring.scored",
    "summed_loss": "scoring.tensors.losses",
    "time_per_token": "scoring.serving.timing",
    "tokenizer_corpus": "scoring.tokens.tokenizer.corpus",
    "tokens_used": "scoring.serving.tokens",
}

__all__ = [
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
    "assert_latency",
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
    "assert_throughput",
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
    "cost",
    "exact_match",
    "first_token_latency",
    "flips_of",
    "inspect_kv_cache",
    "latency",
    "parsed",
    "perplexity",
    "probe_chat_template",
    "probe_tokenizer",
    "profile_from_json",
    "queue_time",
    "rouge_l",
    "scored",
    "summed_loss",
    "time_per_token",
    "tokenizer_corpus",
    "tokens_used",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Public names are imported on first use: pytest imports this package in every run of the environment."""
    if name not in _HOMES:
        msg = f"module 'pytest_llmval' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"pytest_llmval.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
