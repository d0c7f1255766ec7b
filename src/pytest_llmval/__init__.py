"""Regression testing of large language models with pytest: may this version replace that one?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression

if TYPE_CHECKING:
    from pytest_llmval.asserts import assert_at_least, assert_at_most, assert_no_regression
    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.checks import LlmvalDataWarning
    from pytest_llmval.case_sets.loading import cases
    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.records.store import LlmvalStoreWarning
    from pytest_llmval.scoring.choice import choice_accuracy
    from pytest_llmval.scoring.score import Scores, Unscored
    from pytest_llmval.scoring.scored import scored
    from pytest_llmval.scoring.tensors.closeness import (
        assert_bitwise_equal,
        assert_tensors_close,
        assert_ulp_close,
        compare_bits,
        compare_tensors,
        compare_ulps,
    )
    from pytest_llmval.scoring.tensors.control import assert_within_control, compare_within_control
    from pytest_llmval.scoring.tensors.divergence import assert_no_flips, classify_divergence
    from pytest_llmval.scoring.tensors.finite import assert_finite, compare_finite
    from pytest_llmval.scoring.tensors.logits import assert_kl_below, compare_logits
    from pytest_llmval.scoring.tensors.norms import assert_cosine, assert_rel_l2, compare_cosine, compare_rel_l2
    from pytest_llmval.scoring.tensors.quantization import assert_quantization_error, compare_quantization
    from pytest_llmval.scoring.tensors.structure import assert_same_structure, compare_structure
    from pytest_llmval.scoring.tensors.tolerances import Tol
    from pytest_llmval.scoring.tensors.top_logprobs import assert_kl_not_above, compare_top_logprobs
    from pytest_llmval.scoring.tensors.weights import assert_weights_match, compare_weights
    from pytest_llmval.scoring.text.exact import exact_match
    from pytest_llmval.scoring.text.rouge import rouge_l
    from pytest_llmval.scoring.tokens.perplexity import perplexity
    from pytest_llmval.servers.exchange import Choice, LogLikelihood, Request, Response
    from pytest_llmval.verdicts.verdict import Outcome, Verdict

_HOMES = {
    "Case": "case_sets.case",
    "CaseSet": "case_sets.case",
    "Choice": "servers.exchange",
    "LlmvalDataWarning": "case_sets.checks",
    "LlmvalStoreWarning": "records.store",
    "LogLikelihood": "servers.exchange",
    "Message": "case_sets.message",
    "Outcome": "verdicts.verdict",
    "Request": "servers.exchange",
    "Response": "servers.exchange",
    "Scores": "scoring.score",
    "Tol": "scoring.tensors.tolerances",
    "Unscored": "scoring.score",
    "Verdict": "verdicts.verdict",
    "assert_at_least": "asserts",
    "assert_at_most": "asserts",
    "assert_bitwise_equal": "scoring.tensors.closeness",
    "assert_cosine": "scoring.tensors.norms",
    "assert_finite": "scoring.tensors.finite",
    "assert_kl_below": "scoring.tensors.logits",
    "assert_kl_not_above": "scoring.tensors.top_logprobs",
    "assert_no_flips": "scoring.tensors.divergence",
    "assert_no_regression": "asserts",
    "assert_quantization_error": "scoring.tensors.quantization",
    "assert_rel_l2": "scoring.tensors.norms",
    "assert_same_structure": "scoring.tensors.structure",
    "assert_tensors_close": "scoring.tensors.closeness",
    "assert_ulp_close": "scoring.tensors.closeness",
    "assert_weights_match": "scoring.tensors.weights",
    "assert_within_control": "scoring.tensors.control",
    "cases": "case_sets.loading",
    "choice_accuracy": "scoring.choice",
    "classify_divergence": "scoring.tensors.divergence",
    "compare_bits": "scoring.tensors.closeness",
    "compare_cosine": "scoring.tensors.norms",
    "compare_finite": "scoring.tensors.finite",
    "compare_logits": "scoring.tensors.logits",
    "compare_quantization": "scoring.tensors.quantization",
    "compare_rel_l2": "scoring.tensors.norms",
    "compare_structure": "scoring.tensors.structure",
    "compare_tensors": "scoring.tensors.closeness",
    "compare_top_logprobs": "scoring.tensors.top_logprobs",
    "compare_ulps": "scoring.tensors.closeness",
    "compare_weights": "scoring.tensors.weights",
    "compare_within_control": "scoring.tensors.control",
    "exact_match": "scoring.text.exact",
    "perplexity": "scoring.tokens.perplexity",
    "rouge_l": "scoring.text.rouge",
    "scored": "scoring.scored",
}

__all__ = [
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
