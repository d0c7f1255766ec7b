"""Answers that come in pieces, as server-sent events, put together to what would have come in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.remote.faults import Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

END = "[DONE]"


def events(lines: Iterable[str]) -> Iterator[str]:
    r"""The data of each event; comments and other fields are left out.

    Source:
        https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

    >>> list(events([": hello", "data: 1", "data: 2", "", "event: x", "data:3", ""]))
    ['1\n2', '3']
    """
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


class Pieces:
    """The pieces of one answer, as they come."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {"choices": []}
        """What would have come in one piece, as far as it has come."""
        self.has_text = False
        """Whether some text of the answer is there."""
        self.ended = False
        """Whether the server said that this is all."""

    def add(self, event: str) -> None:
        """Add the data of an event.

        Raises:
            Unanswered: If it is not a piece of an answer.
        """
        if event == END:
            self.ended = True
        else:
            self.add_piece(_piece(event))

    def add_piece(self, piece: dict[str, Any]) -> None:
        """Add a piece of an answer."""
        self.body |= {name: value for name, value in piece.items() if name != "choices" and value is not None}
        for choice in piece.get("choices") or ():
            self._add_choice(choice)

    def _add_choice(self, piece: dict[str, Any]) -> None:
        choices, at = self.body["choices"], piece.get("index", 0)
        while len(choices) <= at:
            choices.append({"index": len(choices), "finish_reason": None, "logprobs": None})
        choice = choices[at]
        _add_text(choice, piece)
        choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
        choice["logprobs"] = _joined(choice["logprobs"], piece.get("logprobs"))
        if piece.get("token_ids"):
            choice["token_ids"] = choice.get("token_ids", []) + piece["token_ids"]
        text = choice.get("text") or choice.get("message", {}).get("content")
        self.has_text = self.has_text or bool(text)

    @property
    def is_whole(self) -> bool:
        """Whether the answer has come to its end; some servers send no last event."""
        choices = self.body["choices"]
        return bool(choices) and (self.ended or all(choice["finish_reason"] for choice in choices))


def _piece(event: str) -> dict[str, Any]:
    try:
        piece = json.loads(event)
    except ValueError as error:
        msg = f"a piece of the answer is not JSON: {event[:80]!r}"
        raise Unanswered(msg) from error
    if not isinstance(piece, dict) or piece.get("error"):
        msg = f"the server broke the answer off: {event[:200]}"
        raise Unanswered(msg)
    return piece


def _add_text(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    if "delta" in piece:
        delta = piece["delta"] or {}
        message = choice.setdefault("message", {"role": "assistant", "content": ""})
        message["content"] += delta.get("content") or ""
        message |= {name: value for name, value in delta.items() if name not in ("role", "content") and value}
    else:
        choice["text"] = choice.get("text", "") + (piece.get("text") or "")


def _joined(found: dict[str, Any] | None, more: dict[str, Any] | None) -> dict[str, Any] | None:
    """Logprobs with those of the next piece: every field is a list, one entry a token."""
    if not more:
        return found
    found = found or {}
    return {name: (found.get(name) or []) + (values or []) for name, values in more.items()}
