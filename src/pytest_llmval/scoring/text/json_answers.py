"""JSON answers: read strictly, and whether they are JSON at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.servers.exchange import Response

_FENCE = "```"
_OPENINGS = (_FENCE, f"{_FENCE}json")


class NotJson(Exception):  # noqa: N818 - says what is wrong
    """A text is not JSON; the message says where."""


def json_valid(responses: Iterable[Response], *, fenced: bool = False) -> Scores:
    """Whether each answer is JSON as RFC 8259 has it: NaN and Infinity are not, nor is any text around it.

    Not read either, and so scored 0, is what Python cannot hold: values nested about a thousand deep and whole numbers
    of more than 4300 digits.

    Args:
        responses: The answers.
        fenced: Whether an answer may also hold its JSON between a line of three back-ticks, `json` after them or
            nothing, and a line of three back-ticks, the only such lines in it, whatever stands around them.
    """

    def is_json(_: Case, response: Response) -> bool:
        try:
            read_json(response.text, fenced=fenced)
        except NotJson:
            return False
        return True

    return score_responses(
        responses, is_json, empty_scores("json_valid", kind="binary"), reading_version(fenced=fenced)
    )


def reading_version(*, fenced: bool) -> str:
    """How answers are read, for the version of a metric."""
    return "fenced or plain" if fenced else "plain"


def read_json(text: str, *, fenced: bool = False) -> Any:
    """The value of a JSON text.

    Raises:
        NotJson: If it is none.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        msg = "nested too deep"
        raise NotJson(msg) from error
    except ValueError as error:
        inner = _inside_fence(text) if fenced else None
        if inner is None:
            raise NotJson(str(error)) from error
        return read_json(inner)


def comparable(value: Any) -> Hashable:
    """A JSON value as something equal exactly where JSON Schema calls values equal: 1 is 1.0, true is not 1.

    Raises:
        RecursionError: If it is nested too deep.
    """
    if isinstance(value, dict):
        return frozenset((name, comparable(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return ("array", *map(comparable, value))
    return ("boolean", value) if isinstance(value, bool) else value


def _inside_fence(text: str) -> str | None:
    """What stands between the only two fences; None where there are others, or more, or fewer."""
    lines = text.split("\n")
    at = [place for place, line in enumerate(lines) if line.lstrip().startswith(_FENCE)]
    if [lines[place].strip().lower() in _OPENINGS for place in at] != [True, True]:
        return None
    opening, closing = at
    return "\n".join(lines[opening + 1 : closing]) if lines[closing].strip() == _FENCE else None


def _refuse(constant: str) -> None:
    msg = f"{constant} is no JSON"
    raise ValueError(msg)


_DECODER = json.JSONDecoder(parse_constant=_refuse)
