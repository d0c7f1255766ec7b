"""Message: one turn of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


def messages_from(value: object) -> tuple[Message, ...]:
    """Messages from a list of `{"role": …, "content": …}` mappings or `Message` objects.

    Raises:
        ValueError: If the value has another shape; the text says which entry.
    """
    if not isinstance(value, list | tuple) or not value:
        msg = f"messages={value!r}: expected a non-empty list of {{'role': …, 'content': …}}"
        raise ValueError(msg)
    return tuple(_message(entry, index) for index, entry in enumerate(value))


def _message(entry: object, index: int) -> Message:
    if isinstance(entry, Message):
        return entry
    role = entry.get("role") if isinstance(entry, Mapping) else None
    content = entry.get("content") if isinstance(entry, Mapping) else None
    if not isinstance(role, str) or not isinstance(content, str):
        msg = f"messages[{index}]={entry!r}: expected {{'role': 'user', 'content': 'text'}}"
        raise ValueError(msg)  # noqa: TRY004 - a wrong value in the user's data, like the one above
    return Message(role, content)


def as_text(prompt: str | tuple[Message, ...]) -> str:
    """A prompt as a person reads it: the text itself, or one `role: content` line a message.

    A conversation of a single user message reads as that message.
    """
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return prompt[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in prompt)
