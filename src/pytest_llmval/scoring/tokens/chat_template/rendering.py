"""A conversation through a chat template: the text and the token ids, or why it was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tokens.chat_template.clock import STOPPED, stopped
from pytest_llmval.scoring.tokens.tokenizer.asking import refuse_unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

Turns = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the model reads of a conversation."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The template raised."""

    reason: str


def render(
    tokenizer: Any, turns: Turns, *, generation: bool = False, day: date = STOPPED, **options: Any
) -> Rendering | Refusal:
    """A conversation as text and ids, by the tokenizer's own path, on a fixed day.

    Args:
        tokenizer: With a chat template.
        turns: Messages.
        generation: Whether the start of the assistant's turn is added.
        day: What the template's clock shows.
        **options: Further ones of `apply_chat_template`.
    """
    try:
        options = {**stopped(tokenizer, day, options.get("tools")), "add_generation_prompt": generation, **options}
        text = tokenizer.apply_chat_template(turns, tokenize=False, **options)
        ids = tokenizer.apply_chat_template(
            turns, tokenize=True, return_dict=False, tokenizer_kwargs={"verbose": False}, **options
        )
    except Exception as error:  # noqa: BLE001 - templates raise what they like
        return Refusal(f"{type(error).__name__}: {error}")
    return Rendering(str(text), tuple(map(int, ids)))


def turns_of(conversation: Sequence[Any]) -> Turns:
    """Messages as the template takes them: mappings as they are, `Message` objects as mappings.

    Raises:
        ValueError: If there is no message, or one has no role.
    """
    if isinstance(conversation, str | Mapping) or not conversation:
        msg = f"conversation {conversation!r}; expected a non-empty list of {{'role': …, 'content': …}}"
        raise ValueError(msg)
    return [_turn(each) for each in conversation]


def _turn(message: Any) -> dict[str, Any]:
    if isinstance(message, Mapping) and "role" in message:
        return dict(message)
    if hasattr(message, "role") and hasattr(message, "content"):
        return {"role": message.role, "content": message.content}
    msg = f"message {message!r}; expected {{'role': 'user', 'content': 'text'}}"
    raise ValueError(msg)


def refuse_without_template(tokenizer: Any) -> None:
    """Say that there is nothing to render with.

    Raises:
        InvalidComparison: If the tokenizer has no chat template.
    """
    __tracebackhide__ = True
    refuse_unusable(tokenizer)
    if not has_template(tokenizer):
        msg = (
            "the tokenizer has no chat template, so no conversation can be rendered; expected chat_template.jinja "
            "beside the model, or tokenizer.chat_template = '…'"
        )
        raise InvalidComparison(msg)


def has_template(tokenizer: Any) -> bool:
    """Whether there is a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))
