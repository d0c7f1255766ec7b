"""Perturber: makes changed cases of the cases of one set."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import apply_edits
from pytest_llmval.case_sets.perturbing.following import check_answered_by_text, check_same_right, following
from pytest_llmval.case_sets.perturbing.last_turn import question_in, with_question
from pytest_llmval.case_sets.perturbing.relation import Relation
from pytest_llmval.case_sets.rows import Row
from pytest_llmval.case_sets.templates import field_of, names_in
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.loading import Recipe, Templates
    from pytest_llmval.case_sets.perturbing.edit import Edit


@dataclass(frozen=True, slots=True)
class Perturber:
    """A relation, the field that it changes, and what makes a case of a changed row."""

    relation: Relation
    field: str
    recipe: Recipe

    def value(self, case: Case) -> Any:
        """What the relation changes: the field's value, of a conversation its last question.

        Raises:
            DatasetError: If the row lacks the field.
        """
        return question_in(field_of(_row(case), self.field, "field="))

    def edits(self, case: Case) -> Sequence[Edit]:
        """All single edits of a case.

        Raises:
            DatasetError: If the row lacks the field, the relation does not change values of its type, or what is right
                would not follow the change.
        """
        value = self.value(case)
        with _placed(case):
            edits = self.relation.edits(value, case.fields)
        if self.relation.options is not None:
            with _placed(case, f"{self.relation}: "):
                check_answered_by_text(case, self.relation.options(value, case.fields))
        return edits

    def case_with(self, origin: Case, edits: Iterable[Edit], name: str) -> Case:
        """The case that the edits make of another one, under an id that ends in a name.

        It depends on its origin, hence it is in one cluster with it.

        Raises:
            DatasetError: If options changed places, and another one is right now.
        """
        changed = apply_edits(self.value(origin), edits)
        value = with_question(origin.fields[self.field], changed.value)
        made = following(self.recipe, origin, {**origin.fields, self.field: value})
        if self.relation.options is not None:
            with _placed(origin, f"{self.relation}: "):
                check_same_right(origin, made)
        return replace(
            made,
            id=f"{origin.id}~{name}",
            cluster=origin.cluster or origin.id,
            must_pass=False,
            origin=origin.id,
            change=changed.change,
        )


@contextmanager
def _placed(case: Case, what: str = "") -> Iterator[None]:
    """Says of which row an error is."""
    try:
        yield
    except DatasetError as error:
        msg = f"{case.source}: {what}{error}"
        raise DatasetError(msg) from error


def perturber_of(case_set: CaseSet, relation: Relation, field: str | None) -> Perturber:
    """What perturbs the cases of a set.

    Args:
        case_set: A case set with one prompt.
        relation: How they are changed.
        field: The field that is changed; None when there is only one it could be.

    Raises:
        TypeError: If the relation is none, the case set cannot be perturbed, or the field has to be named.
    """
    given: object = relation  # callers may not check types
    if not isinstance(given, Relation):
        name = f"the function {given.__name__}" if isinstance(given, FunctionType) else f"{given!r:.60}"
        msg = f"{case_set.name}: {name} is no relation; expected what a call such as typos() gives"
        raise TypeError(msg)
    if case_set.relation is not None:
        msg = f"{case_set.name} is perturbed by {case_set.relation}; perturb the case set that it was made from"
        raise TypeError(msg)
    if case_set.recipe is None:
        msg = f"{case_set.name} was not made by cases(), which knows how a changed row is asked"
        raise TypeError(msg)
    return Perturber(relation, field or _only_field(case_set, relation), case_set.recipe)


def _only_field(case_set: CaseSet, relation: Relation) -> str:
    names = _named_fields(case_set, relation)
    if len(names) == 1:
        return names[0]
    which = "choices" if relation.reads == "choices" else "question"
    named = f"the fields {', '.join(map(repr, names))}" if names else "no field"
    msg = f"{case_set.name}: the template of the {which} names {named}; say which one {relation} changes: field=…"
    raise TypeError(msg)


def _named_fields(case_set: CaseSet, relation: Relation) -> list[str]:
    """The fields that a relation could be meant to change, in all variants of the prompt."""
    asked = [each.recipe.templates for each in case_set.variants.values() or (case_set,) if each.recipe is not None]
    return sorted({name for templates in asked for name in _names(templates, relation)})


def _names(templates: Templates, relation: Relation) -> set[str]:
    if relation.reads == "choices":
        return names_in(templates.choices or "")
    if isinstance(templates.messages, str):
        return {templates.messages.removeprefix("{").removesuffix("}")}
    return names_in(templates.prompt or templates.chat or "")


def _row(case: Case) -> Row:
    return Row(case.fields, case.source)
