"""Requests as the OpenAI interface wants them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.reference import roughly

if TYPE_CHECKING:
    from pytest_llmval.servers.exchange import Decoding, Message, Request

COMPLETIONS, CHAT = "completions", "chat/completions"


@dataclass(frozen=True, slots=True)
class Extras:
    """What some servers take beyond the OpenAI interface."""

    top_k: bool = False
    token_ids: bool = False
    """Whether `return_token_ids` makes them come back."""
    options: tuple[tuple[str, Any], ...] = ()
    """What the user wants sent with each request for an answer."""


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent where."""

    path: str
    """Where below the base URL, without a slash in front."""
    payload: dict[str, Any] | None
    """JSON values; None for a request that only looks."""
    input_tokens: int = 0
    """Tokens of what is read: a quarter of its bytes, unless a tokenizer counted them."""
    output_tokens: int = 0
    """Most tokens that may be written."""
    is_exact: bool = False
    """Whether a tokenizer counted `input_tokens`."""
    expects: str = "choices"
    """What the answer must hold, and not be empty; empty for an answer of any shape."""

    @property
    def tokens(self) -> int:
        """Most tokens it may take, as far as one can tell."""
        return self.input_tokens + self.output_tokens


def generation(model: str, request: Request, extras: Extras) -> Post:
    """What asks for the answer to a request.

    Raises:
        RequestRefused: If the server has no such way of decoding.
    """
    options = _options(request, extras)
    if isinstance(request.prompt, str):
        _refuse_empty(request.prompt)
        return Post(COMPLETIONS, {"model": model, "prompt": request.prompt} | options, *_sizes(request))
    return Post(CHAT, {"model": model, "messages": turns(request.prompt)} | options, *_sizes(request))


def _sizes(request: Request) -> tuple[int, int]:
    return roughly(request.prompt), request.decoding.max_tokens


def turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Messages as JSON values."""
    return [{"role": message.role, "content": message.content} for message in messages]


def _refuse_empty(prompt: str) -> None:
    if not prompt:
        msg = f"prompt {prompt!r} is empty; expected at least one token of text"
        raise RequestRefused(msg)


def _options(request: Request, extras: Extras) -> dict[str, Any]:
    """Only what differs from the interface's defaults: servers refuse names that they do not know."""
    decoding = request.decoding
    options: dict[str, Any] = dict(extras.options)
    options |= {"max_tokens": decoding.max_tokens, "temperature": decoding.temperature}
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
    if decoding.json_schema is not None:
        options["response_format"] = response_format(json.loads(decoding.json_schema))
    return options | ({"return_token_ids": True} if extras.token_ids else {})


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """What asks for JSON of a schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _top_k(decoding: Decoding, extras: Extras) -> int:
    if not extras.top_k:
        msg = f"top_k={decoding.top_k!r}: the server is not known to take it; expected 0 (all tokens)"
        raise RequestRefused(msg)
    return decoding.top_k


def _logprobs(request: Request, most: int) -> dict[str, Any]:
    if isinstance(request.prompt, str):
        return {"logprobs": most}
    return {"logprobs": True, "top_logprobs": most}
