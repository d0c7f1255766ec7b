"""Options of a multiple-choice row, and which one is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.templates import fill
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from pytest_llmval.case_sets.rows import Row

FEWEST = 2


def options_of(row: Row, choices: str, answer: str) -> tuple[tuple[str, ...], int]:
    """The options of a row and the index of the right one.

    An integer answer is an index, a string is the option itself. In a CSV file, where all is text, the options are
    a JSON list and a number that is none of them is an index.

    Raises:
        DatasetError: If there are fewer than two options, two are equal, or the answer is none of them.
    """
    options = _options(fill(choices, row, "choices"), row)
    return options, _index(fill(answer, row, "answer"), options, row)


def _options(value: Any, row: Row) -> tuple[str, ...]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _parsed(value, row)
    if not isinstance(value, list | tuple) or len(value) < FEWEST:
        msg = f"{row.place}: choices={value!r}; expected a list of at least {FEWEST} options"
        raise DatasetError(msg)
    options = tuple(map(str, value))
    if len(set(options)) < len(options) or not all(options):
        msg = f"{row.place}: choices={value!r}; options must differ from each other and not be empty"
        raise DatasetError(msg)
    return options


def _parsed(value: str, row: Row) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        msg = f"{row.place}: choices={value!r}; expected a JSON list: {error.msg}"
        raise DatasetError(msg) from error


def _index(answer: Any, options: tuple[str, ...], row: Row) -> int:
    if isinstance(answer, str) and answer in options:
        return options.index(answer)
    index = _as_integer(answer, from_text=".csv:" in row.place.lower())
    if index is None or not 0 <= index < len(options):
        allowed = f"an index from 0 to {len(options) - 1} as an integer, or one of {', '.join(map(repr, options))}"
        msg = f"{row.place}: answer={answer!r}; expected {allowed}"
        raise DatasetError(msg)
    return index


def _as_integer(answer: Any, *, from_text: bool) -> int | None:
    if isinstance(answer, int) and not isinstance(answer, bool):
        return answer
    if from_text and isinstance(answer, str) and answer.strip().isdecimal():
        return int(answer)
    return None
