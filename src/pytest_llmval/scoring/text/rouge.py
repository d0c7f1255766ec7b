"""ROUGE, by the rouge-score package."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.extra import needed
from pytest_llmval.scoring.text.limits import check_limit, unscored_over_limit
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

WORD = re.compile("[a-z0-9]+")
LARGEST_TABLE = 10_000_000
"""Words of the answer times words of the reference: the table of a common subsequence takes 2 s and 80 MB then."""
WORDS_A_LINE = 3
"""What a line of either text costs `rouge_lsum` beside its words, which it compares line by line."""
BLIND = Unscored("the reference has no word of a to z or 0 to 9, and ROUGE sees nothing else")


def rouge_1(responses: Iterable[Response], *, stemming: bool = False) -> Scores:
    """F-measure of the words that answer and reference share, in [0, 1].

    Words are lower-cased runs of a to z and 0 to 9: rouge-score parts words at letters with accents and sees nothing
    in other scripts. The best of several references counts. A case whose reference has no such word stays `Unscored`;
    an empty answer scores 0.

    Args:
        responses: The answers.
        stemming: Whether words of more than three letters are cut to their stem first, by Porter's rules.

    Raises:
        SettingsError: If rouge-score is not installed.

    Source:
        C.-Y. Lin, ROUGE: A Package for Automatic Evaluation of Summaries (2004); the numbers are rouge-score's.
    """
    return _rouge("rouge_1", "rouge1", responses, stemming=stemming)


def rouge_2(responses: Iterable[Response], *, stemming: bool = False) -> Scores:
    """F-measure of the pairs of neighbouring words that answer and reference share, in [0, 1]; else as `rouge_1`.

    A reference of one word has no pair: every answer scores 0, the right one as well.
    """
    return _rouge("rouge_2", "rouge2", responses, stemming=stemming)


def rouge_l(responses: Iterable[Response], *, stemming: bool = False) -> Scores:
    """F-measure of the longest common subsequence of words of answer and reference, in [0, 1]; else as `rouge_1`.

    `Unscored` where the words of the answer times those of the reference are more than 10,000,000.
    """
    return _rouge("rouge_l", "rougeL", responses, stemming=stemming)


def rouge_lsum(responses: Iterable[Response], *, stemming: bool = False) -> Scores:
    """ROUGE-L of a summary: the union over lines of their common subsequences, in [0, 1]; else as `rouge_1`.

    Lines are taken as the sentences. `Unscored` where the words of the answer times those of the reference, each line
    counted as three words more, are more than 10,000,000.
    """
    return _rouge("rouge_lsum", "rougeLsum", responses, stemming=stemming)


def _rouge(name: str, kind: str, responses: Iterable[Response], *, stemming: bool) -> Scores:
    scorer = _scorer(name, kind, stemming)

    @unscored_over_limit
    def f_measure(case: Case, response: Response) -> float | Unscored:
        texts = reference_texts(case)
        seen = [text for text in texts if WORD.search(text.lower())]
        if not seen:
            return BLIND if texts else NO_REFERENCE
        for text in seen:
            _check_table(kind, text, response.text)
        return float(max(scorer.score(text, response.text)[kind].fmeasure for text in seen))

    counted = f"rouge-score {version('rouge-score')}{', stemming' if stemming else ''}"
    return score_responses(responses, f_measure, empty_scores(name), counted)


def _check_table(kind: str, reference: str, answer: str) -> None:
    """Refuse texts whose table of a common subsequence is too large.

    Raises:
        OverLimit: If it is.
    """
    # A word and what parts it from the next take two characters: most texts are too short to need a count.
    if not kind.startswith("rougeL") or len(reference) * len(answer) <= LARGEST_TABLE:
        return
    counted = "words" if kind == "rougeL" else f"words (a line for {WORDS_A_LINE} more)"
    cells = _size(kind, reference) * _size(kind, answer)
    check_limit(cells, LARGEST_TABLE, f"is the product of the {counted} of answer and reference")


def _size(kind: str, text: str) -> int:
    """Words of a text, and what its lines cost."""
    words = sum(1 for _ in WORD.finditer(text.lower()))
    return words + WORDS_A_LINE * sum(map(bool, text.split("\n"))) if kind == "rougeLsum" else words


@cache
def _scorer(name: str, kind: str, stemming: bool) -> Any:  # noqa: FBT001 - the key of a cache
    with needed("rouge-score", name):
        from rouge_score.rouge_scorer import RougeScorer
    return RougeScorer([kind], use_stemmer=stemming)
