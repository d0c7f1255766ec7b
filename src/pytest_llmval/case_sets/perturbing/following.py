"""Following: where options changed places, what is right stays the same option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.rows import Row
from pytest_llmval.case_sets.templates import SINGLE_FIELD
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.case_sets.loading import Recipe

_EXPECTED = (
    'expected the options themselves as choices, such as choices="{options}", with an answer= that is the index or the '
    "text of the right one, as a field holds it; or a reference= that is its text"
)


def following(recipe: Recipe, origin: Case, fields: Mapping[str, Any]) -> Case:
    """The case of a row; where its options changed places, the index of the right one follows."""
    made = recipe.case(Row(fields, origin.source))
    if origin.answer is None or made.choices == origin.choices or set(made.choices) != set(origin.choices):
        return made
    index = made.choices.index(origin.choices[origin.answer])
    named = SINGLE_FIELD.fullmatch(recipe.templates.answer or "")
    if index == made.answer or named is None:
        return made
    moved = {**fields, named[1]: str(index) if isinstance(fields[named[1]], str) else index}
    return recipe.case(Row(moved, origin.source))


def check_answered_by_text(case: Case, options: Collection[str]) -> None:
    """Refuse a case whose right answer is another one once its options changed places: a letter, a number.

    Raises:
        DatasetError: If its choices, or without them its reference, are not texts of the options.
    """
    known = {_plain(option) for option in options}
    others = [answer for answer in case.choices or _references(case) if _plain(answer) not in known]
    if others:
        what = "choices" if case.choices else "reference"
        msg = f"the {what} {_listed(others)} would not move with the options {_listed(options)}; {_EXPECTED}"
        raise DatasetError(msg)


def check_same_right(origin: Case, made: Case) -> None:
    """Refuse a case whose right option is another one than before.

    Raises:
        DatasetError: If the choices are others, or what is right is another text.
    """
    if set(made.choices) != set(origin.choices):
        msg = f"in another order the choices {_listed(origin.choices)} become {_listed(made.choices)}; {_EXPECTED}"
        raise DatasetError(msg)
    if _right(made) != _right(origin):
        msg = f"in another order the right answer {_right(origin)!r:.60} becomes {_right(made)!r:.60}; {_EXPECTED}"
        raise DatasetError(msg)


def _right(case: Case) -> Any:
    return case.reference if case.answer is None else case.choices[case.answer]


def _references(case: Case) -> list[Any]:
    if case.reference is None:
        return []
    return list(case.reference) if isinstance(case.reference, list | tuple) else [case.reference]


def _listed(options: Collection[object]) -> str:
    return f"{', '.join(map(repr, options)):.60}"


def _plain(answer: object) -> str:
    return " ".join(str(answer).casefold().split())
