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
    "Unscored": "scoring.score",
    "Verdict": "verdicts.verdict",
    "assert_at_least": "asserts",
    "assert_at_most": "asserts",
    "assert_no_regression": "asserts",
    "cases": "case_sets.loading",
    "choice_accuracy": "scoring.choice",
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
