"""Templates: format strings over the fields of a row."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import DatasetError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.case_sets.rows import Row

SINGLE_FIELD = re.compile(r"\{([^{}!:.\[\]]+)\}")


def fill(template: str, row: Row, argument: str) -> Any:
    r"""The template filled with a row; one that is exactly `"{name}"` gives the raw value of that field.

    Args:
        template: Format string, for example `"{question}\nAnswer:"`.
        row: The row whose fields are filled in.
        argument: Name of the `cases()` argument, for the message.

    Raises:
        DatasetError: If the template names a field that the row lacks, or is no format string.
    """
    single = SINGLE_FIELD.fullmatch(template)
    if single:
        return field_of(row, single[1], argument)
    try:
        return _Fields(row, argument).vformat(template, (), row.fields)
    except (ValueError, TypeError) as error:
        msg = f"{row.place}: {argument}={template!r}: {error}; write fields as {{name}} and literal braces as {{{{ }}}}"
        raise DatasetError(msg) from error


def names_in(template: str) -> set[str]:
    """The fields a template names; none when it is no format string, which `fill` reports."""
    try:
        return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name}
    except ValueError:
        return set()


class _Fields(string.Formatter):
    """Formats with the message a dataset author needs when a field is missing; null is no text."""

    def __init__(self, row: Row, argument: str) -> None:
        self.row = row
        self.argument = argument

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            value, first = super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, AttributeError) as error:
            raise DatasetError(self._complaint(field_name, "this row lacks")) from error
        if value is None:
            raise DatasetError(self._complaint(field_name, "is null in this row"))
        return value, first

    def _complaint(self, field_name: str, what: str) -> str:
        return f"{self.row.place}: {self.argument} names the field {field_name!r}, which {what}"

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        if isinstance(key, int):
            msg = "a field without a name"
            raise ValueError(msg)  # noqa: TRY004 - a wrong template, reported as such by the caller
        return field_of(self.row, key, self.argument)


def field_of(row: Row, name: str, argument: str) -> Any:
    """The raw value of a field.

    Raises:
        DatasetError: If the row lacks it; the text suggests the nearest.
    """
    if name not in row.fields:
        msg = f"{row.place}: {argument} names the field {name!r}, which this row lacks; {nearest(name, row.fields)}"
        raise DatasetError(msg)
    return row.fields[name]


def fill_text(template: str, row: Row, argument: str) -> str:
    """The filled template as text; numbers are written out, nothing else is.

    Raises:
        DatasetError: If the value is empty or not text.
    """
    value = fill(template, row, argument)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        msg = f"{row.place}: {argument}={template!r} gives {value!r}; expected text"
        raise DatasetError(msg)
    return str(value)


def chat_messages(
    question: str, system: str | None = None, examples: Sequence[tuple[str, str]] = ()
) -> tuple[Message, ...]:
    """A conversation: system text, worked examples as earlier turns, then the question."""
    turns = [Message("system", system)] if system else []
    for asked, answered in examples:
        turns += [Message("user", asked), Message("assistant", answered)]
    return (*turns, Message("user", question))


def plain_prompt(question: str, system: str | None = None, examples: Sequence[tuple[str, str]] = ()) -> str:
    """One text: system text, worked examples and the question, parted by blank lines.

    A blank is put between an example's prompt and its answer unless one of them brings its own white space.
    """
    parts = [system] if system else []
    parts += [asked + _gap(asked, answered) + answered for asked, answered in examples]
    return "\n\n".join((*parts, question))


def _gap(asked: str, answered: str) -> str:
    return "" if asked[-1:].isspace() or answered[:1].isspace() else " "
