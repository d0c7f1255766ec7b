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
    from pytest_llmval.case_sets.perturbing.edit import Edit
    from pytest_llmval.case_sets.perturbing.irrelevant_sentence import irrelevant_sentence
    from pytest_llmval.case_sets.perturbing.letter_case import letter_case
    from pytest_llmval.case_sets.perturbing.option_order import option_order
    from pytest_llmval.case_sets.perturbing.paraphrases import paraphrases
    from pytest_llmval.case_sets.perturbing.relation import Relation, relation
    from pytest_llmval.case_sets.perturbing.typos import typos
    from pytest_llmval.case_sets.perturbing.white_space import white_space
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
    from pytest_llmval.scoring.consistency.searching import Violation, search_violation
    from pytest_llmval.scoring.consistency.self_consistency import self_consistency
    from pytest_llmval.scoring.consistency.selfcheck import UnigramSurprise, selfcheck, unigram_surprise
    from pytest_llmval.scoring.consistency.violations import violations
    from pytest_llmval.scoring.golden.tolerances import EmbeddingClose, JsonLike, RougeL, SameText, SameTokens, UpToTie
    from pytest_llmval.scoring.grounding.citations import citations_exist
    from pytest_llmval.scoring.grounding.embedding import by_embedding
    from pytest_llmval.scoring.grounding.groundedness import claim_support, groundedness
    from pytest_llmval.scoring.grounding.judge import by_judge
    from pytest_llmval.scoring.grounding.overlap import by_overlap
    from pytest_llmval.scoring.grounding.support import Support
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
    from pytest_llmval.scoring.text.classification import ClassificationReport, classification_report
    from pytest_llmval.scoring.text.corpus import CorpusScore, corpus_bleu, corpus_chrf
    from pytest_llmval.scoring.text.edits import edit_distance
    from pytest_llmval.scoring.text.embedding import embedding_similarity
    from pytest_llmval.scoring.text.exact import contains, exact_match
    from pytest_llmval.scoring.text.json_answers import json_valid
    from pytest_llmval.scoring.text.json_fields import json_field_scores, json_fields
    from pytest_llmval.scoring.text.json_schema import json_matches
    from pytest_llmval.scoring.text.letters import letter_accuracy
    from pytest_llmval.scoring.text.numeric import numeric_answer
    from pytest_llmval.scoring.text.overlap import token_f1
    from pytest_llmval.scoring.text.patterns import regex_match
    from pytest_llmval.scoring.text.rouge import rouge_1, rouge_2, rouge_l, rouge_lsum
    from pytest_llmval.scoring.text.translation import bleu, chrf
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
    from pytest_llmval.servers.engine.embedding import TextEncoder
    from pytest_llmval.servers.exchange import Choice, LogLikelihood, Request, Response
    from pytest_llmval.serving_asserts import assert_latency, assert_throughput
    from pytest_llmval.verdicts.verdict import Outcome, Verdict

_NAMES = {
    "asserts": (
        "assert_at_least",
        "assert_at_most",
        "assert_calibrated",
        "assert_equivalent",
        "assert_improved",
        "assert_no_regression",
        "assert_perplexity_not_worse",
        "assert_same_answers",
    ),
    "case_sets.case": ("Case", "CaseSet"),
    "case_sets.checks": ("LlmvalDataWarning",),
    "case_sets.loading": ("cases",),
    "case_sets.message": ("Message",),
    "case_sets.perturbing.edit": ("Edit",),
    "case_sets.perturbing.irrelevant_sentence": ("irrelevant_sentence",),
    "case_sets.perturbing.letter_case": ("letter_case",),
    "case_sets.perturbing.option_order": ("option_order",),
    "case_sets.perturbing.paraphrases": ("paraphrases",),
    "case_sets.perturbing.relation": ("Relation", "relation"),
    "case_sets.perturbing.typos": ("typos",),
    "case_sets.perturbing.white_space": ("white_space",),
    "numeric_asserts": ("assert_kl_below", "assert_layers_close", "assert_no_flips", "assert_weights_match"),
    "records.store": ("LlmvalStoreWarning",),
    "scoring.calibration": ("Confidences", "choice_brier", "choice_confidence", "choice_nll"),
    "scoring.calibration_report": ("calibration",),
    "scoring.choice": ("choice_accuracy",),
    "scoring.consistency.searching": ("Violation", "search_violation"),
    "scoring.consistency.self_consistency": ("self_consistency",),
    "scoring.consistency.selfcheck": ("UnigramSurprise", "selfcheck", "unigram_surprise"),
    "scoring.consistency.violations": ("violations",),
    "scoring.golden.tolerances": ("EmbeddingClose", "JsonLike", "RougeL", "SameText", "SameTokens", "UpToTie"),
    "scoring.grounding.citations": ("citations_exist",),
    "scoring.grounding.embedding": ("by_embedding",),
    "scoring.grounding.groundedness": ("claim_support", "groundedness"),
    "scoring.grounding.judge": ("by_judge",),
    "scoring.grounding.overlap": ("by_overlap",),
    "scoring.grounding.support": ("Support",),
    "scoring.score": ("Scores", "Unscored"),
    "scoring.scored": ("scored",),
    "scoring.serving.cost": ("cost",),
    "scoring.serving.parsing": ("parsed",),
    "scoring.serving.timing": ("first_token_latency", "latency", "queue_time", "time_per_token"),
    "scoring.serving.tokens": ("tokens_used",),
    "scoring.tensors.closeness": (
        "assert_bitwise_equal",
        "assert_tensors_close",
        "assert_ulp_close",
        "compare_bits",
        "compare_tensors",
        "compare_ulps",
    ),
    "scoring.tensors.control": ("assert_within_control", "compare_within_control"),
    "scoring.tensors.divergence": ("classify_divergence",),
    "scoring.tensors.finite": ("assert_finite", "compare_finite"),
    "scoring.tensors.invariances.batching": ("assert_batch_invariant",),
    "scoring.tensors.invariances.causality": ("assert_causal",),
    "scoring.tensors.invariances.decoding": ("assert_decode_matches_prefill",),
    "scoring.tensors.invariances.determinism": ("assert_deterministic",),
    "scoring.tensors.invariances.kv_consistency": ("assert_kv_consistent",),
    "scoring.tensors.invariances.kv_validity": ("assert_kv_cache_valid", "inspect_kv_cache"),
    "scoring.tensors.invariances.pad_content": ("assert_pad_content_irrelevant",),
    "scoring.tensors.invariances.padding": ("assert_pad_invariant",),
    "scoring.tensors.invariances.report": ("InvarianceReport",),
    "scoring.tensors.invariances.rows": ("assert_row_isolation", "assert_row_permutation_equivariant"),
    "scoring.tensors.invariances.shifting": ("assert_position_shift_invariant",),
    "scoring.tensors.layers.compare": ("compare_layers",),
    "scoring.tensors.layers.judging": ("LayerLimits",),
    "scoring.tensors.layers.report": ("LayerReport",),
    "scoring.tensors.logits": ("compare_logits",),
    "scoring.tensors.losses": ("assert_loss_partition_invariant", "compare_loss_partitions", "summed_loss"),
    "scoring.tensors.norms": ("assert_cosine", "assert_rel_l2", "compare_cosine", "compare_rel_l2"),
    "scoring.tensors.quantization": ("assert_quantization_error", "compare_quantization"),
    "scoring.tensors.structure": ("assert_same_structure", "compare_structure"),
    "scoring.tensors.tolerances": ("Tol",),
    "scoring.tensors.top_logprobs": ("assert_kl_not_above", "compare_top_logprobs"),
    "scoring.tensors.weights": ("compare_weights",),
    "scoring.text.classification": ("ClassificationReport", "classification_report"),
    "scoring.text.corpus": ("CorpusScore", "corpus_bleu", "corpus_chrf"),
    "scoring.text.edits": ("edit_distance",),
    "scoring.text.embedding": ("embedding_similarity",),
    "scoring.text.exact": ("contains", "exact_match"),
    "scoring.text.json_answers": ("json_valid",),
    "scoring.text.json_fields": ("json_field_scores", "json_fields"),
    "scoring.text.json_schema": ("json_matches",),
    "scoring.text.letters": ("letter_accuracy",),
    "scoring.text.numeric": ("numeric_answer",),
    "scoring.text.overlap": ("token_f1",),
    "scoring.text.patterns": ("regex_match",),
    "scoring.text.rouge": ("rouge_1", "rouge_2", "rouge_l", "rouge_lsum"),
    "scoring.text.translation": ("bleu", "chrf"),
    "scoring.tokens.capabilities": ("flips_of", "profile_from_json"),
    "scoring.tokens.chat_template.contract": ("assert_chat_template_contract", "check_chat_template"),
    "scoring.tokens.chat_template.equality": ("assert_chat_templates_equal", "compare_chat_templates"),
    "scoring.tokens.chat_template.probing": ("probe_chat_template",),
    "scoring.tokens.chat_template.profile": ("ChatTemplateProfile",),
    "scoring.tokens.corpus": ("corpus_perplexity",),
    "scoring.tokens.perplexity": ("bits_per_byte", "perplexity"),
    "scoring.tokens.tokenizer.contract": ("assert_tokenizer_contract", "check_tokenizer"),
    "scoring.tokens.tokenizer.corpus": ("tokenizer_corpus",),
    "scoring.tokens.tokenizer.equality": ("assert_tokenizers_equal", "compare_tokenizers"),
    "scoring.tokens.tokenizer.model_vocabulary": ("assert_vocab_compatible", "compare_vocab"),
    "scoring.tokens.tokenizer.probing": ("probe_tokenizer",),
    "scoring.tokens.tokenizer.profile": ("TokenizerProfile",),
    "scoring.tokens.tokenizer.special_tokens": ("assert_special_tokens_policy", "compare_special_tokens_policy"),
    "scoring.tokens.tokenizer.stop_strings": ("assert_stop_strings_respected", "compare_stop_strings"),
    "scoring.tokens.tokenizer.streaming": ("assert_incremental_detok_equals_full", "compare_incremental_detok"),
    "servers.engine.embedding": ("TextEncoder",),
    "servers.exchange": ("Choice", "LogLikelihood", "Request", "Response"),
    "serving_asserts": ("assert_latency", "assert_throughput"),
    "verdicts.verdict": ("Outcome", "Verdict"),
}

__all__ = [
    "Case",
    "CaseSet",
    "ChatTemplateProfile",
    "Choice",
    "ClassificationReport",
    "Confidences",
    "CorpusScore",
    "Edit",
    "EmbeddingClose",
    "InvalidComparison",
    "InvarianceReport",
    "JsonLike",
    "LayerLimits",
    "LayerReport",
    "LlmvalDataWarning",
    "LlmvalStoreWarning",
    "LogLikelihood",
    "Message",
    "ModelRegression",
    "Outcome",
    "Relation",
    "Request",
    "Response",
    "RougeL",
    "SameText",
    "SameTokens",
    "Scores",
    "Support",
    "TextEncoder",
    "TokenizerProfile",
    "Tol",
    "UnigramSurprise",
    "Unscored",
    "UpToTie",
    "Verdict",
    "Violation",
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
    "bleu",
    "by_embedding",
    "by_judge",
    "by_overlap",
    "calibration",
    "cases",
    "check_chat_template",
    "check_tokenizer",
    "choice_accuracy",
    "choice_brier",
    "choice_confidence",
    "choice_nll",
    "chrf",
    "citations_exist",
    "claim_support",
    "classification_report",
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
    "contains",
    "corpus_bleu",
    "corpus_chrf",
    "corpus_perplexity",
    "cost",
    "edit_distance",
    "embedding_similarity",
    "exact_match",
    "first_token_latency",
    "flips_of",
    "groundedness",
    "inspect_kv_cache",
    "irrelevant_sentence",
    "json_field_scores",
    "json_fields",
    "json_matches",
    "json_valid",
    "latency",
    "letter_accuracy",
    "letter_case",
    "numeric_answer",
    "option_order",
    "paraphrases",
    "parsed",
    "perplexity",
    "probe_chat_template",
    "probe_tokenizer",
    "profile_from_json",
    "queue_time",
    "regex_match",
    "relation",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "rouge_lsum",
    "scored",
    "search_violation",
    "self_consistency",
    "selfcheck",
    "summed_loss",
    "time_per_token",
    "token_f1",
    "tokenizer_corpus",
    "tokens_used",
    "typos",
    "unigram_surprise",
    "violations",
    "white_space",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Public names are imported on first use: pytest imports this package in every run of the environment."""
    home = next((module for module, names in _NAMES.items() if name in names), None)
    if home is None:
        msg = f"module 'pytest_llmval' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"pytest_llmval.{home}"), name)
    globals()[name] = value
    return value
