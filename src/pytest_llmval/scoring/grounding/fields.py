"""What a case was given to answer from: a field of it, or a function of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


def check_field(name: str | Callable[[Case], Any], argument: str, responses: Iterable[Response]) -> None:
    """Refuse the name of a field that no case has; one that only some lack is a finding.

    Raises:
        ValueError: If no case has it; the text lists the fields there are.
    """
    cases = [response.case for response in responses if response.case]
    if callable(name) or not cases or any(name in case.fields for case in cases):
        return
    known = {field for case in cases for field in case.fields}
    msg = f"{argument}={name!r}: no case has this field; {nearest(name, known)}"
    raise ValueError(msg)


def name_of(name: str | Callable[[Case], Any]) -> str:
    """What tells one source of values from others: the field, or a hash of the function."""
    return function_hash(name) if callable(name) else repr(name)


def value_of(case: Case, name: str | Callable[[Case], Any]) -> Any:
    """The value of the field, or of the function; None where the case has none."""
    return name(case) if callable(name) else case.fields.get(name)


def passages_of(case: Case, context: str | Callable[[Case], Any]) -> tuple[str, ...]:
    """The passages that a case was given, those that are blank left out.

    Raises:
        ValueError: If they are neither a text nor texts.
    """
    value = value_of(case, context)
    passages = value if isinstance(value, list | tuple) else [] if value is None else [value]
    if not all(isinstance(passage, str) for passage in passages):
        msg = f"case {case.id!r}: its context is {value!r:.80}; expected a text or a list of texts"
        raise ValueError(msg)
    return tuple(passage for passage in passages if passage.strip())
