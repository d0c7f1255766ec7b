"""Which fields of the reference a JSON answer has right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses
from pytest_llmval.scoring.text.json_answers import NotJson, comparable, read_json, reading_version
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_values

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

Fields = dict[str, "Hashable"]
NO_OBJECT = Unscored("the reference is no JSON object")


def json_fields(responses: Iterable[Response], *, fields: Sequence[str] | None = None, fenced: bool = False) -> Scores:
    """Share of the reference's fields that each answer has right, in [0, 1]; other fields of the answer do not count.

    A field is right when its value is equal as JSON has it: 1 is 1.0, true is not 1, the order of a list counts, that
    of names does not. An object within counts as one value. The best of several references counts. An answer that is
    no JSON object scores 0. A case stays `Unscored` without a reference, when the reference is no object, and when it
    has none of the fields.

    Args:
        responses: Responses to a case set whose `reference=` gives a mapping, or the text of a JSON object.
        fields: Names of the fields that count; all of the reference's by default.
        fenced: As of `json_valid`.

    Raises:
        TypeError: If `fields` is no sequence of names.
    """
    names = _names(fields)

    def share(case: Case, response: Response) -> float | Unscored:
        wanted = _wanted(case)
        if isinstance(wanted, Unscored):
            return wanted
        asked = [kept for each in wanted if (kept := _only(each, names))]
        if not asked:
            return Unscored(f"the reference has none of the fields {_listed(names or ())}")
        given = _answer(response.text, fenced=fenced)
        return max(sum(_is_right(name, given, each) for name in each) / len(each) for each in asked)

    version = f"fields={_listed(names) if names else 'all'} {reading_version(fenced=fenced)}"
    return score_responses(responses, share, empty_scores("json_fields"), version)


def json_field_scores(
    responses: Iterable[Response], fields: Sequence[str] | None = None, *, fenced: bool = False
) -> dict[str, Scores]:
    """Whether each answer has a field right, by the field's name; as `json_fields`, one field at a time.

    Any one of several references may have the value. A case whose reference lacks the field stays `Unscored` there.

    Args:
        responses: As of `json_fields`.
        fields: Names of the fields; by default all that occur in a reference, in their order.
        fenced: As of `json_valid`.

    Raises:
        TypeError: If `fields` is no sequence of names.
    """
    answered = as_sequence(responses)
    references = {each.case.id: _wanted(each.case) for each in answered if each.case}
    answers: dict[str, Fields] = {}

    def scores_of(name: str) -> Scores:
        def is_right(case: Case, response: Response) -> bool | Unscored:
            wanted = references[case.id]
            if isinstance(wanted, Unscored):
                return wanted
            if not any(name in each for each in wanted):
                return Unscored(f"the reference has no field {name!r}")
            if response.text not in answers:
                answers[response.text] = _answer(response.text, fenced=fenced)
            return any(_is_right(name, answers[response.text], each) for each in wanted)

        empty = empty_scores(f"json_field {name}", kind="binary")
        return score_responses(answered, is_right, empty, reading_version(fenced=fenced))

    found = (each for each in references.values() if not isinstance(each, Unscored))
    names = _names(fields) or tuple(dict.fromkeys(name for wanted in found for each in wanted for name in each))
    return {name: scores_of(name) for name in names}


def _names(fields: Sequence[str] | None) -> tuple[str, ...] | None:
    if fields is None:
        return None
    if isinstance(fields, str) or not fields or not all(isinstance(name, str) for name in fields):
        msg = f"fields={fields!r:.80}; expected names of fields, such as ('city', 'street')"
        raise TypeError(msg)
    return tuple(dict.fromkeys(fields))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _only(reference: Fields, names: tuple[str, ...] | None) -> Fields:
    return reference if names is None else {name: reference[name] for name in names if name in reference}


def _is_right(name: str, given: Fields, wanted: Fields) -> bool:
    return name in given and name in wanted and given[name] == wanted[name]


def _wanted(case: Case) -> tuple[Fields, ...] | Unscored:
    """The fields of each reference that is an object and not empty."""
    values = reference_values(case)
    found = tuple(fields for value in values if (fields := _reference(value)))
    return found or (NO_OBJECT if values else NO_REFERENCE)


def _reference(value: Any) -> Fields:
    if isinstance(value, str):
        return _answer(value, fenced=False)
    return _fields(dict(value)) if isinstance(value, Mapping) else {}


def _answer(text: str, *, fenced: bool) -> Fields:
    """The fields of an answer, none when it is no JSON object."""
    try:
        return _fields(read_json(text, fenced=fenced))
    except NotJson:
        return {}


def _fields(value: Any) -> Fields:
    """Name and comparable value of each field, none when it is no object or nests too deep."""
    try:
        return {name: comparable(each) for name, each in value.items()} if isinstance(value, dict) else {}
    except RecursionError:
        return {}
