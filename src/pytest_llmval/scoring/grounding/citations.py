"""Citations: whether what an answer cites was given to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.scoring.grounding.fields import check_field, name_of, value_of
from pytest_llmval.scoring.score import CaseNote, Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

CITATION = r"\[(\w[\w-]*)\](?!\()"
SHOWN = 5
"""Citations of unknown sources in the note of a case."""


def citations_exist(
    responses: Iterable[Response],
    sources: str | Callable[[Case], Any] = "sources",
    *,
    pattern: str = CITATION,
    required: bool = True,
) -> Scores:
    """The share of an answer's citations that name a source of its case, in [0, 1].

    Whether the source says so is not looked at. Each citation counts, also a repeated one. A case without sources
    stays `Unscored`; where the list of them is empty, every citation is invented.

    Args:
        responses: Responses to a case set whose cases have sources.
        sources: Field of the case, or a function from the case. A list is cited by number from 1, by its texts, or
            by the `id` of its entries; a mapping by its keys.
        pattern: Regular expression of a citation, the name in its first group if it has one.
        required: Whether an answer without any citation scores 0; else it is `Unscored`.

    Raises:
        ValueError: If the pattern is none, no case has the field, or sources are neither list nor mapping.
    """
    citation = _compiled(pattern)
    answered = as_sequence(responses)
    check_field(sources, "sources", answered)

    def share(case: Case, response: Response) -> float | Unscored:
        names, cited = _names(case, sources), _cited(citation, response.text)
        if names is None:
            return Unscored("the case has no sources")
        if not cited:
            return 0.0 if required and names else Unscored("the answer cites nothing")
        return sum(name in names for name in cited) / len(cited)

    version = f"1 sources={name_of(sources)} {content_hash([pattern, required])[:8]}"
    scores = score_responses(answered, share, empty_scores("citations_exist"), version)
    notes = [_noted(note, each, sources, citation) for note, each in zip(scores.notes or (), answered, strict=True)]
    return replace(scores, notes=tuple(notes))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError) as error:
        msg = f"citations_exist(pattern={pattern!r}): {error}; expected a regular expression such as {CITATION!r}"
        raise ValueError(msg) from error
    if compiled.groups > 1:
        msg = f"citations_exist(pattern={pattern!r}): {compiled.groups} groups; expected one, the name of the source"
        raise ValueError(msg)
    return compiled


def _cited(citation: re.Pattern[str], text: str) -> list[str]:
    return [str(found[1 if citation.groups else 0]) for found in citation.finditer(text)]


def _names(case: Case, sources: str | Callable[[Case], Any]) -> frozenset[str] | None:
    """What sources of a case are cited by; None where it has none."""
    given = value_of(case, sources)
    if given is None:
        return None
    if isinstance(given, Mapping):
        return frozenset(map(str, given))
    if not isinstance(given, list | tuple):
        msg = f"case {case.id!r}: its sources are {given!r:.80}; expected a list, or a mapping from name to source"
        raise ValueError(msg)  # noqa: TRY004 - a wrong value in the user's data
    own = (entry.get("id") if isinstance(entry, Mapping) else entry for entry in given)
    return frozenset(map(str, range(1, len(given) + 1))) | {str(name) for name in own if name is not None}


def _noted(
    note: CaseNote, response: Response, sources: str | Callable[[Case], Any], citation: re.Pattern[str]
) -> CaseNote:
    """The note; before the answer, the citations of the first trial that name no source."""
    names = _names(response.case, sources) if response.case else None
    unknown = [f"[{name}]" for name in _cited(citation, response.text) if name not in (names or ())]
    if names is None or (not unknown and _cited(citation, response.text)):
        return note
    said = (
        "no citation"
        if not unknown
        else f"no such source: {', '.join(unknown[:SHOWN])}{', …' if len(unknown) > SHOWN else ''}"
    )
    return replace(note, answer=f"({said}) {note.answer}")
