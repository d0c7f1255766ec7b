"""Prompts are continued together; a row that is done leaves the batch and costs nothing more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.encoding import decode, encode_prompt
from pytest_llmval.servers.engine.prefill import prefill
from pytest_llmval.servers.engine.sampling import Sampler, pick_tokens
from pytest_llmval.servers.engine.stopping import StopStrings
from pytest_llmval.servers.exchange import Response, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.exchange import FinishReason, Request


@dataclass(slots=True)
class Row:
    """One prompt and what has been generated after it."""

    request: Request
    ids: list[int]
    """Token ids of the prompt."""
    limit: int
    """Most tokens generated: what was asked for, or what the context has room for."""
    tokenizer: Any
    stop: StopStrings
    ends: frozenset[int]
    sampler: Sampler
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    text: str | None = None
    """The answer, once there is nothing to add to it."""
    finish_reason: FinishReason = "stop"

    def take(self, token: int) -> None:
        """Append a token and finish when it is, or completes, an end."""
        if token < 0:
            self.text, self.finish_reason = "", "error"
            return
        self.tokens.append(token)
        if token in self.ends:
            self._finish(decode(self.tokenizer, self.tokens), "stop")
        elif (text := self.stop.cut(self.tokens)) is not None:
            self._finish(text, "stop")
        elif len(self.tokens) == self.limit:
            self._finish(decode(self.tokenizer, self.tokens), "length")

    def _finish(self, text: str, reason: FinishReason) -> None:
        self.text, self.finish_reason = text, reason

    def response(self) -> Response:
        """The answer of this row, which must be finished."""
        if self.finish_reason == "error":
            return Response.failed(f"the model's logits are NaN after {len(self.tokens)} generated tokens")
        return Response(
            text=self.text or "",
            token_ids=tuple(self.tokens),
            logprobs=None if self.request.decoding.logprobs is None else tuple(self.logprobs),
            finish_reason=self.finish_reason,
            usage=Usage(len(self.ids), len(self.tokens)),
        )


def prepare_row(network: Network, tokenizer: Any, request: Request) -> Row:
    """The row of a request, nothing generated yet.

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
    return Row(request, ids, limit, tokenizer, stop, ends, Sampler.of(request))


def end_tokens(network: Network, tokenizer: Any) -> frozenset[int]:
    """Ids that end an answer, those of the generation config (one or several) and the tokenizer's."""
    listed = getattr(getattr(network.model, "generation_config", None), "eos_token_id", None)
    several = listed if isinstance(listed, list | tuple) else [listed]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)


def generate(network: Network, rows: Sequence[Row]) -> list[Response]:
    """The answers to rows, computed as one batch."""
    context = prefill(network, [row.ids for row in rows], max(row.limit for row in rows))
    live = list(rows)
    while True:
        tokens = pick_tokens(context.logits, [row.sampler for row in live])
        _note_logprobs(context.logits, live, tokens)
        for row, token in zip(live, tokens, strict=True):
            row.take(token)
        going = [at for at, row in enumerate(live) if row.text is None]
        if not going:
            return [row.response() for row in rows]
        if len(going) < len(live):
            context, live = context.select(going), [live[at] for at in going]
        context.step([row.tokens[-1] for row in live])


def _note_logprobs(logits: torch.Tensor, rows: Sequence[Row], tokens: Sequence[int]) -> None:
    """Add the chosen token's logprob, and the most probable ones', to the rows that asked for them."""
    asking = [at for at, row in enumerate(rows) if row.request.decoding.logprobs is not None and tokens[at] >= 0]
    if not asking:
        return
    logprobs = logits[asking].float().log_softmax(dim=-1)
    most = min(logprobs.shape[-1], max(rows[at].request.decoding.logprobs or 0 for at in asking))
    best = logprobs.topk(most, dim=-1)
    chosen = logprobs.gather(-1, torch.tensor([[tokens[at]] for at in asking], device=logprobs.device))
    columns = zip(asking, chosen.squeeze(-1).tolist(), best.indices.tolist(), best.values.tolist(), strict=True)
    for at, logprob, ids, values in columns:
        _note(rows[at], tokens[at], logprob, list(zip(ids, values, strict=True)))


def _note(row: Row, token: int, logprob: float, best: list[tuple[int, float]]) -> None:
    top = tuple(best[: row.request.decoding.logprobs])
    row.logprobs.append(TokenLogprob(token, str(row.tokenizer.decode([token])), logprob, top))
