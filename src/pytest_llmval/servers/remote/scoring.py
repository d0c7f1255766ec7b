"""Ways to have a server say how probable the tokens of a given text are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.reference import count_roughly
from pytest_llmval.servers.remote.payloads import COMPLETIONS, Post

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.reference import Reference


class Scoring(Protocol):
    """One way."""

    dtype: str | None
    """In which the server normalises logits; None where that is not known."""

    def post(self, model: str, text: str, max_tokens: int) -> Post:
        """What asks for it; some servers have to add at least one token to the text."""

    def read(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        """The answer with the logprobs of the text's tokens where those of `completions` stand.

        Raises:
            KeyError, IndexError, TypeError, AttributeError: If it has another shape.
            RequestRefused: If the tokens cannot be made out.
        """


class ByEcho:
    """The text is asked to be repeated with its logprobs, as the OpenAI interface once had it."""

    dtype: str | None = None

    def post(self, model: str, text: str, max_tokens: int) -> Post:
        """A completion with `echo`."""
        options = {"echo": True, "logprobs": 1, "max_tokens": max_tokens, "temperature": 0}
        return Post(COMPLETIONS, {"model": model, "prompt": text} | options, count_roughly(text), max_tokens)

    def read(self, body: dict[str, Any], text: str) -> dict[str, Any]:  # noqa: ARG002 - the protocol has it
        """The answer as it is."""
        return body


class ByPromptLogprobs:
    """vLLM tells the logprobs of a prompt's tokens by their ids."""

    dtype: str | None = "float32"

    def __init__(self, reference: Reference) -> None:
        """A way that knows the first token by the reference's tokenizer, where there is one."""
        self._reference = reference

    def post(self, model: str, text: str, max_tokens: int) -> Post:
        """A completion with `prompt_logprobs`; at least one token has to be generated."""
        options = {"prompt_logprobs": 1, "return_token_ids": True, "max_tokens": max(1, max_tokens), "temperature": 0}
        return Post(COMPLETIONS, {"model": model, "prompt": text} | options, count_roughly(text), max(1, max_tokens))

    def read(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        """The same as an echo of the prompt."""
        choice = body["choices"][0]
        given, ids = choice.get("prompt_logprobs"), choice.get("prompt_token_ids")
        if not given or not ids:
            return body | {"choices": [choice | {"logprobs": None}]}
        tables = [table or {} for table in given]
        own = [table.get(str(number)) for table, number in zip(tables, ids, strict=True)]
        tokens = [self._first(ids[0], own, text), *_decoded(own)[1:]]
        first = 0 if tokens[0] else 1  # BOS is no part of the text
        logprobs = {
            "tokens": tokens[first:],
            "token_logprobs": [entry and entry["logprob"] for entry in own[first:]],
            "top_logprobs": [_top(table) for table in tables[first:]],
        }
        return body | {"choices": [choice | {"logprobs": logprobs, "text": text}]}

    def _first(self, token_id: int, entries: Sequence[Mapping[str, Any] | None], text: str) -> str:
        """The text of the first token, of which the server tells nothing; empty for BOS.

        Raises:
            RequestRefused: If nobody can tell: without the tokenizer, and with characters of several tokens.
        """
        if self._reference.is_known:
            tokenizer = self._reference.tokenizer
            return "" if token_id == tokenizer.bos_token_id else str(tokenizer.decode([token_id]))
        rest = "".join(_decoded(entries)[1:])
        if not text.endswith(rest):
            msg = 'whether BOS stands before the text cannot be told; name a folder with the tokenizer, reference = "…"'
            raise RequestRefused(msg)
        return text.removesuffix(rest)


def _decoded(entries: Sequence[Mapping[str, Any] | None]) -> list[str]:
    return [entry["decoded_token"] if entry else "" for entry in entries]


def _top(table: Mapping[str, Mapping[str, Any]]) -> dict[str, float] | None:
    return {entry["decoded_token"]: entry["logprob"] for entry in table.values()} or None
