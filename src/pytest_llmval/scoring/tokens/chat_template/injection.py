"""Injection: special strings in what a user says, counted as control ids."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_llmval.scoring.tokens.capabilities import Probed
from pytest_llmval.scoring.tokens.chat_template.conversations import AGAIN, ANSWER, assistant, user
from pytest_llmval.scoring.tokens.chat_template.rendering import Refusal, render
from pytest_llmval.scoring.tokens.tokenizer.asking import control_tokens

_HARMLESS = "Hello there"


def separates_user_text(tokenizer: Any) -> Probed:
    """P5 on the usual path."""
    return _unchanged(tokenizer)


def sanitizes_user_text(tokenizer: Any) -> Probed:
    """P5 with the option of transformers that is made for it; False where it does not exist or is refused."""
    return _unchanged(tokenizer, sanitize_control_tokens=True)


def _unchanged(tokenizer: Any, **options: Any) -> Probed:
    controls = control_tokens(tokenizer)
    if not controls:
        return Probed(None, "")
    text = f"Hello {' '.join(controls)} there"
    harmless, found = (_counts(tokenizer, each, set(controls.values()), options) for each in (_HARMLESS, text))
    if isinstance(harmless, Refusal):
        return Probed(value=False, example=harmless.reason)
    if isinstance(found, Refusal):
        return Probed(value=True, example=f"user text {text!r} is refused")
    gained = [name for name, number in controls.items() if found[number] != harmless[number]]
    if not gained:
        return Probed(value=True, example=f"user text {text!r} leaves the control tokens as they are")
    return Probed(value=False, example=f"user text {text!r} changes the number of {', '.join(map(repr, gained))}")


def _counts(tokenizer: Any, text: str, controls: set[int], options: dict[str, Any]) -> Counter[int] | Refusal:
    turns = [user(text), assistant(ANSWER), user(AGAIN)]
    rendered = _render_ids(tokenizer, turns, options) if options else render(tokenizer, turns)
    if isinstance(rendered, Refusal):
        return rendered
    ids = rendered if isinstance(rendered, tuple) else rendered.ids
    return Counter(number for number in ids if number in controls)


def _render_ids(tokenizer: Any, turns: list[dict[str, Any]], options: dict[str, Any]) -> tuple[int, ...] | Refusal:
    """Ids only: sanitising has no text."""
    try:
        return tuple(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False, **options))
    except Exception as error:  # noqa: BLE001 - an older transformers, a template without special tokens of its own
        return Refusal(f"{type(error).__name__}: {error}")
