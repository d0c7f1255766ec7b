"""Relation: a way to change questions that should leave their answers as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.case_sets.perturbing.count import check_count
from pytest_llmval.case_sets.perturbing.edit import Edit, apply_edits, quote
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Relation:
    """A metamorphic relation: all changes it knows of a value, of which a perturbation makes one or more.

    `typos`, `letter_case`, `white_space`, `irrelevant_sentence`, `option_order`, `paraphrases` and `relation` make one.
    """

    name: str
    """Part of the ids of the cases it makes; letters, digits, `_` and `-`."""
    find: Callable[[Any, Mapping[str, Any]], Sequence[Edit]]
    """All single edits of a value, small ones first, given the row it stands in."""
    most: int = 1
    """Most edits made at once."""
    parameters: str = ""
    """What it was made with, for reports."""
    reads: Literal["question", "choices"] = "question"
    """Which template names the field it changes when no field is given."""
    options: Callable[[Any, Mapping[str, Any]], Sequence[str]] | None = None
    """The texts that it makes change places, given a value and its row; a right answer has to be one of them."""

    def __post_init__(self) -> None:
        """Refuse a name that cannot be part of an id, and a number of edits that is none."""
        name: object = self.name  # callers may not check types
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            msg = f"a relation named {self.name!r}; expected letters, digits, '_' and '-', since ids contain it"
            raise ValueError(msg)
        check_count(self.name, "most", self.most)

    def __str__(self) -> str:
        """As it was called: `typos(most=2)`."""
        return f"{self.name}({self.parameters})"

    def edits(self, value: Any, fields: Mapping[str, Any] | None = None) -> Sequence[Edit]:
        """All single edits of a value, small ones first; none when nothing in it can be changed.

        Args:
            value: A text, or the options of a question.
            fields: The row it stands in.

        Raises:
            DatasetError: If the relation does not change values of this type.
        """
        return self.find(value, fields or {})

    def apply(self, value: Any, edits: Iterable[Edit]) -> Any:
        """The value with all edits made; of edits that overlap the first one alone."""
        return apply_edits(value, edits).value


def relation(name: str, function: Callable[[Any], Iterable[Any]]) -> Relation:
    """A relation of one's own.

    Args:
        name: Part of the ids of the cases it makes; letters, digits, `_` and `-`.
        function: Gives changed values for the text of a question (or the value of another field), small changes first.

    Raises:
        TypeError: If the function is none.
        ValueError: If the name cannot be part of an id.

    >>> polite = relation("polite", lambda question: [f"Please: {question}", f"{question} Thank you."])
    >>> [edit.new for edit in polite.edits("Open?")]
    ['Please: Open?', 'Open? Thank you.']
    """
    given: object = function  # callers may not check types
    if not callable(given):
        msg = f"relation({name!r}, {given!r:.60}): expected a function from a value to changed values"
        raise TypeError(msg)

    def find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
        return whole_edits(name, value, function(value))

    return Relation(name, find, parameters=function_hash(function))


def whole_edits(name: str, value: Any, changed: object) -> tuple[Edit, ...]:
    """One edit for each value that may stand in place of this one.

    Raises:
        DatasetError: If they are no list, or one is of another type than the value.
    """
    if isinstance(changed, str) or not isinstance(changed, Iterable):
        msg = f"{name}: the changed values are {changed!r:.60}; expected a list of them"
        raise DatasetError(msg)
    others = list(changed)
    for each in others:
        if not isinstance(each, type(value)):
            msg = f"{name}: {each!r:.60} in place of {value!r:.60}; expected a {type(value).__name__}"
            raise DatasetError(msg)
    return tuple(Edit(None, each, f"{quote(str(each))} instead") for each in others if each != value)


def list_from(value: Any) -> Any:
    """The list that a field holds; a CSV file has it as JSON. Any other value as it is.

    >>> list_from('["pen", "ink"]'), list_from("pen")
    (['pen', 'ink'], 'pen')
    """
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def text_of(name: str, value: object) -> str:
    """A value that a relation of texts can change.

    Raises:
        DatasetError: If it is no text.
    """
    if not isinstance(value, str):
        msg = f"{name} changes text, not {value!r:.60}"
        raise DatasetError(msg)
    return value
