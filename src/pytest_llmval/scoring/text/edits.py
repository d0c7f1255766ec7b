"""Edit distance, by the rapidfuzz package."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, get_args

from pytest_llmval.errors import nearest
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.extra import needed
from pytest_llmval.scoring.text.limits import check_limit, unscored_over_limit
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores, Unscored
    from pytest_llmval.servers.exchange import Response

Of = Literal["characters", "words"]
LARGEST_PRODUCT = 20_000_000_000
"""Length of the answer times that of the reference: the distance takes up to 3 s then."""


def edit_distance(responses: Iterable[Response], *, of: Of = "characters", normalised: bool = True) -> Scores:
    """Fewest insertions, deletions and replacements that turn each answer into its reference; lower is better.

    The nearest of several references counts. A case without a reference stays `Unscored`, and so does one where the
    length of the answer times that of the reference is more than 20,000,000,000.

    Args:
        responses: The answers.
        of: What is inserted, deleted and replaced: `"characters"`, or `"words"` as white space parts them.
        normalised: Divide by the length of the longer of the two, so that it lies in [0, 1].

    Raises:
        SettingsError: If rapidfuzz is not installed.
        ValueError: If `of` is neither.
    """
    if of not in get_args(Of):
        msg = f"of={of!r}; {nearest(str(of), get_args(Of))}"
        raise ValueError(msg)
    distance = _distance(normalised=normalised)

    @unscored_over_limit
    def least(case: Case, response: Response) -> float | Unscored:
        wanted = [_parts(text, of) for text in reference_texts(case)]
        if not wanted:
            return NO_REFERENCE
        answer = _parts(response.text, of)
        product = len(answer) * max(map(len, wanted))
        check_limit(product, LARGEST_PRODUCT, f"is the product of the {of} of answer and reference")
        return float(min(distance(answer, each) for each in wanted))

    return score_responses(responses, least, _empty(of, normalised=normalised), _version(of, normalised=normalised))


def _distance(*, normalised: bool) -> Any:
    with needed("rapidfuzz", "edit_distance"):
        from rapidfuzz.distance import Levenshtein
    return Levenshtein.normalized_distance if normalised else Levenshtein.distance


def _parts(text: str, of: Of) -> Sequence[str]:
    return text if of == "characters" else text.split()


def _empty(of: Of, *, normalised: bool) -> Scores:
    if normalised:
        return empty_scores("edit_distance", higher_is_better=False)
    return empty_scores("edit_distance", unit=of, higher_is_better=False, bounds=None)


def _version(of: Of, *, normalised: bool) -> str:
    return f"rapidfuzz {version('rapidfuzz')}, {of}{', normalised' if normalised else ''}"
