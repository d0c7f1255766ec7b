"""Exact match, and whether an answer contains its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.limits import unscored_over_limit
from pytest_llmval.scoring.text.normalising import Normalise, Normaliser, normaliser
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def exact_match(responses: Iterable[Response], *, normalise: Normalise = "strip") -> Scores:
    """Whether each answer is the reference, or one of several; by default white space at both ends does not count.

    A case without a reference stays `Unscored`, as does one whose reference is empty once normalised; an empty answer
    scores 0.

    Args:
        responses: The answers.
        normalise: What is done to answer and reference first: `"none"`, `"strip"` (white space at both ends),
            `"whitespace"` (each run becomes one blank, none at the ends), `"case"`, `"punctuation"` (of ASCII),
            `"articles"` (a, an, the), `"unicode"` (NFKC), `"squad"` (as the script of SQuAD v1.1), a tuple of these in
            their order, or a function from text to text.

    Raises:
        ValueError: If a normalisation is unknown.
    """
    return _compared("exact_match", responses, normaliser(normalise), lambda answer, wanted: answer in wanted)


def contains(responses: Iterable[Response], *, normalise: Normalise = "none") -> Scores:
    """Whether the reference occurs in the answer; of several references, any one of them.

    It is looked for as characters and not as words: `art` occurs in `party`. A case without a reference stays
    `Unscored`, as does one whose reference is empty once normalised.

    Args:
        responses: The answers.
        normalise: As of `exact_match`.

    Raises:
        ValueError: If a normalisation is unknown.
    """
    return _compared(
        "contains", responses, normaliser(normalise), lambda answer, wanted: any(text in answer for text in wanted)
    )


def _compared(
    name: str,
    responses: Iterable[Response],
    clean: Normaliser,
    is_right: Callable[[str, Collection[str]], bool],
) -> Scores:
    """A binary metric of the normalised answer and the normalised references."""

    @unscored_over_limit
    def compare(case: Case, response: Response) -> bool | Unscored:
        wanted = clean_references(case, clean)
        return wanted if isinstance(wanted, Unscored) else is_right(clean(response.text), wanted)

    return score_responses(responses, compare, empty_scores(name, kind="binary"), clean.version)


def clean_references(case: Case, clean: Normaliser) -> tuple[str, ...] | Unscored:
    """The acceptable references once normalised, those left out of which nothing remains."""
    texts = reference_texts(case)
    if not texts:
        return NO_REFERENCE
    wanted = tuple(filter(None, map(clean, texts)))
    return wanted or Unscored(f"the reference is empty once normalised ({clean.version})")
