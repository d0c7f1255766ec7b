"""Requests as the OpenAI interface wants them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused

if TYPE_CHECKING:
    from pytest_llmval.servers.exchange import Decoding, Message, Request

COMPLETIONS, CHAT = "completions", "chat/completions"
BYTES_PER_TOKEN = 4
"""Of English text in common tokenizers, about."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What some servers take beyond the OpenAI interface."""

    top_k: bool = False
    token_ids: bool = False
    """Whether `return_token_ids` makes them come back."""


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent where."""

    path: str
    payload: dict[str, Any]
    tokens: int
    """Most tokens it may take, prompt and answer, as far as one can tell without a tokenizer."""


def count_roughly(text: str) -> int:
    """Tokens of a text, about, without a tokenizer.

    >>> count_roughly("The opening hours")
    5
    """
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN)


def generation(model: str, request: Request, extras: Extras) -> Post:
    """What asks for the answer to a request.

    Raises:
        RequestRefused: If the server has no such way of decoding.
    """
    options = _options(request, extras)
    if isinstance(request.prompt, str):
        _refuse_empty(request.prompt)
        tokens = count_roughly(request.prompt) + request.decoding.max_tokens
        return Post(COMPLETIONS, {"model": model, "prompt": request.prompt} | options, tokens)
    tokens = sum(count_roughly(message.content) for message in request.prompt) + request.decoding.max_tokens
    return Post(CHAT, {"model": model, "messages": turns(request.prompt)} | options, tokens)


def turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Messages as JSON values."""
    return [{"role": message.role, "content": message.content} for message in messages]


def echo(model: str, text: str, max_tokens: int) -> Post:
    """What asks for the probabilities of a text's own tokens; some servers have to add at least one more."""
    options = {"echo": True, "logprobs": 1, "max_tokens": max_tokens, "temperature": 0}
    return Post(COMPLETIONS, {"model": model, "prompt": text} | options, count_roughly(text) + max_tokens)


def _refuse_empty(prompt: str) -> None:
    if not prompt:
        msg = f"prompt {prompt!r} is empty; expected at least one token of text"
        raise RequestRefused(msg)


def _options(request: Request, extras: Extras) -> dict[str, Any]:
    """Only what differs from the interface's defaults: servers refuse names that they do not know."""
    decoding = request.decoding
    options: dict[str, Any] = {"max_tokens": decoding.max_tokens, "temperature": decoding.temperature}
    if decoding.temperature > 0:
        options["seed"] = request.seed
    if decoding.top_p != 1:
        options["top_p"] = decoding.top_p
    if decoding.stop:
        options["stop"] = list(decoding.stop)
    if decoding.top_k:
        options["top_k"] = _top_k(decoding, extras)
    if decoding.logprobs is not None:
        options |= _logprobs(request, decoding.logprobs)
    return options | ({"return_token_ids": True} if extras.token_ids else {})


def _top_k(decoding: Decoding, extras: Extras) -> int:
    if not extras.top_k:
        msg = f"top_k={decoding.top_k!r}: the server is not known to take it; expected 0 (all tokens)"
        raise RequestRefused(msg)
    return decoding.top_k


def _logprobs(request: Request, most: int) -> dict[str, Any]:
    if isinstance(request.prompt, str):
        return {"logprobs": most}
    return {"logprobs": True, "top_logprobs": most}
