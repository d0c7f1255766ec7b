"""Last turn: where the question stands in a field that holds a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmval.case_sets.message import Message


def question_in(value: Any) -> Any:
    """The content of the last turn of a user; a value that is no conversation is the question itself.

    >>> question_in([{"role": "user", "content": "Open?"}, {"role": "assistant", "content": "Yes."}])
    'Open?'
    """
    place = _place(value)
    return value if place is None else _content(value[place])


def with_question(value: Any, question: Any) -> Any:
    """The same with another question."""
    place = _place(value)
    if place is None:
        return question
    return [_asking(turn, question) if number == place else turn for number, turn in enumerate(value)]


def _place(value: Any) -> int | None:
    if not isinstance(value, list | tuple):
        return None
    return next((place for place in reversed(range(len(value))) if _role(value[place]) == "user"), None)


def _role(turn: Any) -> object:
    if isinstance(turn, Message):
        return turn.role
    return turn.get("role") if isinstance(turn, Mapping) else None


def _content(turn: Any) -> Any:
    return turn.content if isinstance(turn, Message) else turn.get("content")


def _asking(turn: Any, question: Any) -> Any:
    return replace(turn, content=question) if isinstance(turn, Message) else {**turn, "content": question}
