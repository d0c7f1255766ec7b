"""Log-probabilities of given tokens, without ever holding a full log-softmax."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_llmval.servers.engine.plan import Costs, plan_widths
from pytest_llmval.servers.exchange import LogLikelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network

CELLS = 2**28
"""Most logits held at once, rows x columns x vocabulary: 1 GiB in float32."""
PIECE = 512
"""Positions whose logits are brought to float32 at once."""
STATES = 2**24
"""Most numbers of one hidden state held at once, rows x columns x hidden; a layer holds about sixteen times as many."""
PASS_TOKENS = {"cpu": 16, "cuda": 1024}
"""What a forward pass costs beyond its tokens, in tokens: launching kernels is dear where computing is cheap."""
PASS_CELLS = {"cpu": 2048, "cuda": 2**15}
"""Columns beyond which a batch is not faster for being larger, only bigger in memory."""


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

    Gather minus log-sum-exp in float32, a piece at a time, whatever the model's dtype; of a row that several targets
    name it is taken once.
    """
    wanted = torch.tensor(targets, device=logits.device, dtype=torch.long)
    places = torch.tensor(range(len(targets)) if rows is None else rows, device=logits.device, dtype=torch.long)
    distinct, inverse = torch.unique(places, return_inverse=True)
    norms, best = zip(*(_norm(logits[piece].float()) for piece in distinct.split(PIECE)), strict=True)
    logprobs = logits[places, wanted].float() - torch.cat(norms)[inverse]
    return TokenScores(logprobs.tolist(), (torch.cat(best)[inverse] == wanted).tolist())


def _norm(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-sum-exp of each row, and its most probable token."""
    return logits.logsumexp(dim=-1), logits.argmax(dim=-1)


def split_scores(scores: TokenScores, lengths: Sequence[int]) -> list[TokenScores]:
    """Scores of consecutive stretches of the given lengths."""
    bounds = itertools.pairwise(itertools.accumulate(lengths, initial=0))
    return [TokenScores(scores.logprobs[start:end], scores.greedy[start:end]) for start, end in bounds]


def reading_costs(network: Network, batch_size: int) -> Costs:
    """What the forward passes of a model cost on its device, and how large they may be.

    A token costs about 12 hidden² multiplications a layer, a query with one key 2 hidden, which attention kernels
    do at half the speed.
    """
    kind = network.device.type
    cells = min(PASS_CELLS.get(kind, PASS_CELLS["cuda"]), STATES // network.hidden, most_positions(network))
    return Costs(
        pair=1 / (3 * network.hidden),
        batch=PASS_TOKENS.get(kind, PASS_TOKENS["cuda"]),
        rows=batch_size,
        cells=cells,
        columns=network.gap_room,
    )


def most_positions(network: Network) -> int:
    """Positions whose logits may be held at once; a row with more is read in pieces."""
    return CELLS // network.vocabulary


def score_tails(network: Network, tails: Sequence[Tail], batch_size: int) -> list[TokenScores]:
    """Scores of the last tokens of each row; rows are sorted by length and batched, nothing is cached."""
    scores: dict[int, TokenScores] = {}
    widths = [len(tail.ids) - 1 for tail in tails]
    for batch in plan_widths(widths, reading_costs(network, batch_size)):
        rows = [tails[at] for at in batch]
        too_long = widths[batch[0]] > most_positions(network) and network.resumable
        found = [_score_long(network, rows[0])] if too_long else _score_batch(network, rows)
        scores |= dict(zip(batch, found, strict=True))
    return [scores[at] for at in range(len(tails))]


def _score_batch(network: Network, tails: Sequence[Tail]) -> list[TokenScores]:
    ids, mask = network.padded([tail.ids[:-1] for tail in tails], "right")
    starts = [len(tail.ids) - 1 - tail.scored for tail in tails]
    kept = ids.shape[1] - min(starts)
    logits = network.logits(ids, mask, keep=kept).flatten(0, 1)
    places = [
        row * kept + start - min(starts) + step
        for row, (start, tail) in enumerate(zip(starts, tails, strict=True))
        for step in range(tail.scored)
    ]
    targets = [token for tail in tails for token in tail.ids[-tail.scored :]]
    return split_scores(score_tokens(logits, targets, places), [tail.scored for tail in tails])


def _score_long(network: Network, tail: Tail) -> TokenScores:
    """Scores of one row whose logits do not fit at once, read in pieces over a cache."""
    cache, scores = network.new_cache(), TokenScores([], [])
    for at in range(0, len(tail.ids) - 1, PIECE):
        targets = tail.ids[at + 1 : at + 1 + PIECE]
        ids, _ = network.padded([tail.ids[at : at + len(targets)]], "right")
        logits = network.logits(ids, ids.new_ones(1, at + len(targets)), cache)[0]
        scores += score_tokens(logits, targets)
    return TokenScores(scores.logprobs[-tail.scored :], scores.greedy[-tail.scored :])
