"""ROUGE-L, by the rouge-score package."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


WORD = re.compile("[a-z0-9]")


def rouge_l(responses: Iterable[Response]) -> Scores:
    """F-measure of the longest common subsequence of words of answer and reference, in [0, 1].

    Words are lower-cased runs of a to z and 0 to 9, without stemming: the defaults of rouge-score, which parts words
    at letters with accents and sees nothing in other scripts. A case whose reference has no such word stays
    `Unscored`; an empty answer scores 0.

    Source:
        C.-Y. Lin, ROUGE: A Package for Automatic Evaluation of Summaries (2004).
    """
    scorer = _scorer()

    def f_measure(case: Case, response: Response) -> float | Unscored:
        if case.reference in (None, ""):
            return Unscored("the case has no reference")
        if not WORD.search(str(case.reference).lower()):
            return Unscored("the reference has no word of a to z or 0 to 9, and ROUGE sees nothing else")
        return float(scorer.score(str(case.reference), response.text)["rougeL"].fmeasure)

    return score_responses(responses, f_measure, empty_scores("rouge_l"), f"rouge-score {version('rouge-score')}")


@cache
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        msg = "rouge_l needs rouge-score: pip install pytest-llmval[text]"
        raise SettingsError(msg) from error
    return RougeScorer(["rougeL"], use_stemmer=False)
