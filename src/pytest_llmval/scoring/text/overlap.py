"""Token F1: how many words answer and reference share, as in SQuAD."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.exact import clean_references
from pytest_llmval.scoring.text.limits import unscored_over_limit
from pytest_llmval.scoring.text.normalising import Normalise, normaliser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def token_f1(responses: Iterable[Response], *, normalise: Normalise = "squad") -> Scores:
    """Harmonic mean of the share of the answer's words and of the reference's that the two have in common, in [0, 1].

    Words are what white space parts once normalised, and each counts as often as both have it. The best of several
    references counts. A case without a reference stays `Unscored`, as does one whose reference has no word left; an
    empty answer scores 0.

    Args:
        responses: The answers.
        normalise: As of `exact_match`.

    Raises:
        ValueError: If a normalisation is unknown.

    Source:
        P. Rajpurkar and others, SQuAD: 100,000+ Questions for Machine Comprehension of Text (2016), section 6.1.
    """
    clean = normaliser(normalise)

    @unscored_over_limit
    def best(case: Case, response: Response) -> float | Unscored:
        wanted = clean_references(case, clean)
        if isinstance(wanted, Unscored):
            return wanted
        answer = Counter(clean(response.text).split())
        return max(shared_f1(answer, Counter(text.split())) for text in wanted)

    return score_responses(responses, best, empty_scores("token_f1"), clean.version)


def shared_f1(answer: Counter[str], reference: Counter[str]) -> float:
    """2·shared / (words of both), which is the harmonic mean of precision and recall; 0 where nothing is shared."""
    shared = sum(min(count, reference[word]) for word, count in answer.items() if word in reference)
    return 2 * shared / (answer.total() + reference.total()) if shared else 0.0
