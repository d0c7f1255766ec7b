"""BLEU and chrF of each answer, by sacrebleu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses
from pytest_llmval.scoring.text.limits import check_limit, unscored_over_limit
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts
from pytest_llmval.scoring.text.sacrebleu_metrics import (
    Tokenize,
    bleu_metric,
    chrf_metric,
    chrf_name,
    forgetting,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores, Unscored
    from pytest_llmval.servers.exchange import Response

LONGEST = 2_000_000
"""Characters of an answer and its references: counting their n-grams takes seconds and up to 1 GB then."""


def bleu(responses: Iterable[Response], *, tokenize: Tokenize = "13a") -> Scores:
    """BLEU of each answer by itself, in [0, 1]: what sacrebleu's `sentence_bleu` gives, divided by 100.

    Several references are taken together, as BLEU has it. A case without a reference stays `Unscored`, and so does
    one with more than 2,000,000 characters in answer and references; an empty answer scores 0. For the number that
    papers report use `corpus_bleu`: a mean of this one is another.

    Args:
        responses: The answers.
        tokenize: How sacrebleu parts words: `"13a"`, `"intl"`, `"zh"`, `"char"` or `"none"` (at white space). 13a
            takes a Chinese or Japanese sentence for one word.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If the tokenizer is unknown.

    Source:
        K. Papineni and others, BLEU (2002); M. Post, A Call for Clarity in Reporting BLEU Scores (2018).
    """
    return _sentence_scores("bleu", bleu_metric("bleu", tokenize, effective_order=True), responses)


def chrf(responses: Iterable[Response], *, word_order: int = 0) -> Scores:
    """F-score of the character n-grams that answer and reference share, in [0, 1]: sacrebleu's chrF2 divided by 100.

    The best of several references counts. A case without a reference stays `Unscored`, and so does one with more than
    2,000,000 characters in answer and references; an empty answer scores 0.

    Args:
        responses: The answers.
        word_order: n-grams of words up to this length count as well; 2 gives chrF++.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If the order is no whole number from 0.

    Source:
        M. Popović, chrF: character n-gram F-score for automatic MT evaluation (2015); chrF++ (2017).
    """
    return _sentence_scores(chrf_name(word_order), chrf_metric("chrf", word_order), responses)


def _sentence_scores(name: str, metric: Any, responses: Iterable[Response]) -> Scores:
    """What sacrebleu gives for each answer."""
    answered = as_sequence(responses)
    version = signature(metric, (len(reference_texts(each.case)) for each in answered if each.case))

    @unscored_over_limit
    def score(case: Case, response: Response) -> float | Unscored:
        texts = reference_texts(case)
        if not texts:
            return NO_REFERENCE
        check_limit(len(response.text) + sum(map(len, texts)), LONGEST, "characters in answer and references")
        # Rounding must not lift the score of the reference itself above 1.
        return min(1.0, float(metric.sentence_score(response.text, texts).score) / 100)

    with forgetting(metric):
        return score_responses(answered, score, empty_scores(name), version)
