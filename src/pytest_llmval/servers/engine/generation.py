"""A prompt and its answer: what a row takes from the model, token by token, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.encoding import decode, encode_prompt
from pytest_llmval.servers.engine.sampling import Sampler, pick_tokens
from pytest_llmval.servers.engine.stopping import StopStrings
from pytest_llmval.servers.exchange import Response, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.exchange import FinishReason, Request


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt made ready to be continued."""

    request: Request
    ids: list[int]
    """Token ids of the prompt."""
    limit: int
    """Most tokens generated: what was asked for, or what the context has room for."""
    tokenizer: Any
    stop: StopStrings
    ends: frozenset[int]


@dataclass(slots=True)
class Row:
    """A task and what has been generated for it."""

    number: int
    """Of the task among those asked with it."""
    task: Task
    sampler: Sampler
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str | None = None
    """The answer, once there is nothing to add to it."""
    finish_reason: FinishReason = "stop"

    @classmethod
    def of(cls, number: int, task: Task) -> Row:
        """The row of a task, nothing generated yet."""
        return cls(number, task, Sampler.of(task.request))

    def take(self, token: int) -> None:
        """Append a token and finish when it is, or completes, an end."""
        if token < 0:
            self.text, self.finish_reason = "", "error"
            return
        self.tokens.append(token)
        if token in self.task.ends:
            self._finish(decode(self.task.tokenizer, self.tokens), "stop")
        elif (text := self.task.stop.cut(self.tokens)) is not None:
            self._finish(text, "stop")
        elif len(self.tokens) == self.task.limit:
            self._finish(decode(self.task.tokenizer, self.tokens), "length")

    def _finish(self, text: str, reason: FinishReason) -> None:
        self.text, self.finish_reason = text, reason

    def response(self) -> Response:
        """The answer of this row, which must be finished."""
        if self.finish_reason == "error":
            return Response.failed(f"the model's logits are NaN after {len(self.tokens)} generated tokens")
        return Response(
            text=self.text or "",
            token_ids=tuple(self.tokens),
            logprobs=None if self.task.request.decoding.logprobs is None else tuple(self.logprobs),
            finish_reason=self.finish_reason,
            usage=Usage(len(self.task.ids), len(self.tokens)),
        )


def prepare_task(network: Network, tokenizer: Any, request: Request) -> Task:
    """The task of a request.

    Raises:
        RequestRefused: If the prompt cannot be encoded or leaves no room for an answer.
    """
    ids, context = encode_prompt(tokenizer, request.prompt), network.context_length
    if context is not None and len(ids) >= context:
        msg = (
            f"prompt has {len(ids)} tokens; the model's context of {context} tokens "
            f"takes at most {context - 1} and one generated"
        )
        raise RequestRefused(msg)
    stop = StopStrings(tokenizer, request.decoding.stop)
    room = request.decoding.max_tokens if context is None else context - len(ids)
    limit = min(request.decoding.max_tokens, room)
    ends = end_tokens(network, tokenizer) | stop.end_tokens
    return Task(request, ids, limit, tokenizer, stop, ends)


def end_tokens(network: Network, tokenizer: Any) -> frozenset[int]:
    """Ids that end an answer, those of the generation config (one or several) and the tokenizer's."""
    listed = getattr(getattr(network.model, "generation_config", None), "eos_token_id", None)
    several = listed if isinstance(listed, list | tuple) else [listed]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)


def take_tokens(logits: torch.Tensor, rows: Sequence[Row]) -> None:
    """Choose the next token of each row from its logits, `[rows, vocabulary]`."""
    tokens = pick_tokens(logits, [row.sampler for row in rows])
    _note_logprobs(logits, rows, tokens)
    for row, token in zip(rows, tokens, strict=True):
        row.take(token)


def _note_logprobs(logits: torch.Tensor, rows: Sequence[Row], tokens: Sequence[int]) -> None:
    """Add the chosen token's logprob, and the most probable ones', to the rows that asked for them."""
    asking = [at for at, row in enumerate(rows) if row.task.request.decoding.logprobs is not None and tokens[at] >= 0]
    if not asking:
        return
    logprobs = logits[asking].float().log_softmax(dim=-1)
    most = min(logprobs.shape[-1], max(rows[at].task.request.decoding.logprobs or 0 for at in asking))
    best = logprobs.topk(most, dim=-1)
    chosen = logprobs.gather(-1, torch.tensor([[tokens[at]] for at in asking], device=logprobs.device))
    columns = zip(asking, chosen.squeeze(-1).tolist(), best.indices.tolist(), best.values.tolist(), strict=True)
    for at, logprob, ids, values in columns:
        _note(rows[at], tokens[at], logprob, list(zip(ids, values, strict=True)))


def _note(row: Row, token: int, logprob: float, best: list[tuple[int, float]]) -> None:
    top = tuple(best[: row.task.request.decoding.logprobs])
    row.logprobs.append(TokenLogprob(token, str(row.task.tokenizer.decode([token])), logprob, top))
