"""The goldens of one name as the JSON that a reviewer reads: a text by lines, one token a line."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.golden.answer import DEFAULTS, Answer, Asked, Token, named_decoding
from pytest_llmval.scoring.golden.escaping import as_value, joined, json_text, lines_of
from pytest_llmval.scoring.golden.kept import Kept, Origin
from pytest_llmval.servers.exchange import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BY_LINES = frozenset({"text", "tokens", "prompt", "choices"})
"""Fields whose elements stand on a line each."""


def to_text(goldens: Iterable[Kept]) -> str:
    """Goldens as JSON, the same for the same goldens in any order."""
    entries = [_entry_text(_entry(each)) for each in sorted(goldens, key=attrgetter("order"))]
    return "[\n" + ",\n".join(entries) + "\n]"


def from_text(text: str) -> tuple[Kept, ...]:
    """The goldens that `to_text` wrote.

    Raises:
        ValueError: If it is no such text; json.JSONDecodeError where it is no JSON.
    """
    entries = json.loads(text)
    try:
        return tuple(map(_kept, entries))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"it lacks or misspells {error}" if isinstance(error, KeyError) else f"it is no golden: {error}"
        raise ValueError(msg) from error


def _entry_text(entry: Mapping[str, Any]) -> str:
    fields = [f"    {json_text(name)}: {_value_text(name, value)}" for name, value in entry.items()]
    return "  {\n" + ",\n".join(fields) + "\n  }"


def _value_text(name: str, value: Any) -> str:
    if name not in _BY_LINES or not value:
        return json_text(value)
    return "[\n" + ",\n".join(f"      {json_text(each)}" for each in value) + "\n    ]"


def _entry(kept: Kept) -> dict[str, Any]:
    known = dict(_answer_fields(kept.answer))
    case = {} if kept.case is None else {"case": as_value(kept.case)}
    origin = {name: getattr(kept.origin, name) for name in Origin.__slots__}
    return {**case, **known, "environment": dict(sorted(kept.environment.items())), "origin": origin}


def _answer_fields(answer: Answer) -> Iterator[tuple[str, Any]]:
    """The fields that are known."""
    if answer.text is not None:
        yield "text", lines_of(answer.text)
    if answer.finish_reason is not None:
        yield "finish_reason", answer.finish_reason
    if answer.tokens is not None:
        yield "tokens", list(map(_token_row, answer.tokens))
    if answer.choice is not None:
        yield "choice", {name: getattr(answer.choice, name) for name in ("index", "logprobs", "lengths")}
    if answer.asked is not None:
        yield from _asked_fields(answer.asked)


def _asked_fields(asked: Asked) -> Iterator[tuple[str, Any]]:
    if isinstance(asked.prompt, str):
        yield "prompt", lines_of(asked.prompt)
    else:
        yield "prompt", [{"role": as_value(role), "content": as_value(content)} for role, content in asked.prompt]
    if asked.choices:
        yield "choices", list(map(as_value, asked.choices))
    yield "decoding", named_decoding(asked.decoding)
    if asked.seed is not None:
        yield "seed", asked.seed


def _token_row(token: Token) -> list[Any]:
    """Id, text, logprob and alternatives, without what is unknown at the end."""
    row = [token.id, None if token.text is None else as_value(token.text), token.logprob, token.top or None]
    while len(row) > 1 and row[-1] is None:
        row.pop()
    return row


def _kept(entry: dict[str, Any]) -> Kept:
    case = joined(entry["case"]) if "case" in entry else None
    return Kept(_answer(entry), case, dict(entry["environment"]), Origin(**entry["origin"]))


def _answer(entry: Mapping[str, Any]) -> Answer:
    choice = entry.get("choice")
    return Answer(
        text=joined(entry["text"]) if "text" in entry else None,
        finish_reason=entry.get("finish_reason"),
        tokens=tuple(map(_token, entry["tokens"])) if "tokens" in entry else None,
        choice=None if choice is None else Choice(choice["index"], tuple(choice["logprobs"]), tuple(choice["lengths"])),
        asked=_asked(entry) if "prompt" in entry else None,
    )


def _token(row: list[Any]) -> Token:
    number, text, logprob, top = [*row, None, None, None, None][:4]
    pairs = tuple((int(other), float(each)) for other, each in top or ())
    return Token(number, None if text is None else joined(text), logprob, pairs)


def _asked(entry: Mapping[str, Any]) -> Asked:
    prompt = entry["prompt"]
    is_chat = bool(prompt) and isinstance(prompt[0], dict)
    turns = tuple((joined(each["role"]), joined(each["content"])) for each in prompt) if is_chat else joined(prompt)
    choices = tuple(map(joined, entry.get("choices", ())))
    return Asked(turns, choices, _decoding(entry["decoding"]), entry.get("seed"))


def _decoding(named: Mapping[str, Any]) -> dict[str, Any]:
    decoding = {**DEFAULTS, **named}
    return decoding | {"stop": tuple(decoding["stop"])}
