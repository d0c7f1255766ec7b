"""Log-probabilities of given tokens, without ever holding a full log-softmax."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_llmval.servers.engine.batching import limit_batch
from pytest_llmval.servers.exchange import LogLikelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network

CELLS = 2**28
"""Most logits held at once, rows x columns x vocabulary: 1 GiB in float32."""
PIECE = 512
"""Positions whose logits are brought to float32 at once."""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """What the model gave each scored token."""

    logprobs: list[float]
    greedy: list[bool]
    """Whether the token was the most probable one."""

    def __add__(self, after: TokenScores) -> TokenScores:
        """These scores with those of the tokens after them."""
        return TokenScores(self.logprobs + after.logprobs, self.greedy + after.greedy)

    def total(self) -> LogLikelihood:
        """The likelihood of all tokens together."""
        return LogLikelihood(math.fsum(self.logprobs), all(self.greedy), tuple(self.logprobs))


@dataclass(frozen=True, slots=True)
class Tail:
    """A row of token ids of which the last ones are scored."""

    ids: tuple[int, ...]
    """At least one more than are scored, since the first has no context."""
    scored: int


def score_tokens(logits: torch.Tensor, targets: Sequence[int], rows: Sequence[int] | None = None) -> TokenScores:
    """Score of each target under its row of logits `[positions, vocabulary]`: row `rows[i]` for target i, else row i.

    Gather minus log-sum-exp in float32, a piece at a time, whatever the model's dtype.
    """
    logprobs: list[float] = []
    greedy: list[bool] = []
    for at in range(0, len(targets), PIECE):
        wanted = torch.tensor(targets[at : at + PIECE], device=logits.device)
        piece = (logits[at : at + PIECE] if rows is None else logits[list(rows[at : at + PIECE])]).float()
        chosen = piece.gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
        logprobs += (chosen - piece.logsumexp(dim=-1)).tolist()
        greedy += (piece.argmax(dim=-1) == wanted).tolist()
    return TokenScores(logprobs, greedy)


def split_scores(scores: TokenScores, lengths: Sequence[int]) -> list[TokenScores]:
    """Scores of consecutive stretches of the given lengths."""
    bounds = itertools.pairwise(itertools.accumulate(lengths, initial=0))
    return [TokenScores(scores.logprobs[start:end], scores.greedy[start:end]) for start, end in bounds]


def score_tails(network: Network, tails: Sequence[Tail], batch_size: int) -> list[TokenScores]:
    """Scores of the last tokens of each row; rows are sorted by length and batched, nothing is cached."""
    scores: dict[int, TokenScores] = {}
    cells = CELLS // network.vocabulary
    for batch in limit_batch([len(tail.ids) for tail in tails], batch_size, cells):
        rows = [tails[at] for at in batch]
        too_long = len(rows[0].ids) > cells and network.resumable
        found = [_score_long(network, rows[0])] if too_long else _score_batch(network, rows)
        scores |= dict(zip(batch, found, strict=True))
    return [scores[at] for at in range(len(tails))]


def _score_batch(network: Network, tails: Sequence[Tail]) -> list[TokenScores]:
    ids, mask = network.padded([tail.ids[:-1] for tail in tails], "right")
    starts = torch.tensor([len(tail.ids) - 1 - tail.scored for tail in tails], device=mask.device)
    first = int(starts.min())
    wanted = mask.bool() & (torch.arange(mask.shape[1], device=mask.device) >= starts.unsqueeze(1))
    logits = network.logits(ids, mask, keep=mask.shape[1] - first)[wanted[:, first:]]
    targets = [token for tail in tails for token in tail.ids[-tail.scored :]]
    return split_scores(score_tokens(logits, targets), [tail.scored for tail in tails])


def _score_long(network: Network, tail: Tail) -> TokenScores:
    """Scores of one row whose logits do not fit at once, read in pieces over a cache."""
    cache, scores = network.new_cache(), TokenScores([], [])
    for at in range(0, len(tail.ids) - 1, PIECE):
        targets = tail.ids[at + 1 : at + 1 + PIECE]
        ids, _ = network.padded([tail.ids[at : at + len(targets)]], "right")
        logits = network.logits(ids, ids.new_ones(1, at + len(targets)), cache)[0]
        scores += score_tokens(logits, targets)
    return TokenScores(scores.logprobs[-tail.scored :], scores.greedy[-tail.scored :])
