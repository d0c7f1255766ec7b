"""The next token of each row: the most probable one, or a draw from the row's own random stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import Decoding, Request

HEAD = 256
"""Most probable tokens that are looked at before a whole vocabulary is sorted."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """How one row chooses its tokens."""

    decoding: Decoding
    stream: torch.Generator | None
    """Uniform numbers of this row, on the CPU so that every device draws alike; None when greedy."""

    @classmethod
    def of(cls, request: Request) -> Sampler:
        """The sampler of a request, seeded with the request's seed."""
        if request.decoding.temperature == 0:
            return cls(request.decoding, None)
        return cls(request.decoding, torch.Generator().manual_seed(request.seed % 2**63))

    def uniform(self) -> float:
        """The next number of the stream, in [0, 1); one a token whatever the neighbours do."""
        return float(torch.rand((), generator=self.stream, dtype=torch.float64))


def pick_tokens(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """The next token id of each row of logits `[rows, vocabulary]`; -1 where the logits are NaN."""
    highest, tokens = logits.max(dim=-1)
    picked = torch.where(highest.isnan(), -1, tokens)
    drawing = [at for at, sampler in enumerate(samplers) if sampler.stream is not None]
    if drawing:
        drawn = draw(logits[drawing], [samplers[at] for at in drawing])
        picked[drawing] = torch.where(picked[drawing] < 0, -1, drawn)
    return picked.tolist()


def draw(logits: torch.Tensor, samplers: Sequence[Sampler]) -> torch.Tensor:
    """One token a row by inverse CDF over the kept tokens, most probable first, `[rows]`.

    Logits `[rows, vocabulary]` are divided by the temperature, then cut by top-k, then by top-p, as transformers does.
    Of equal logits the lower token id comes first.
    """
    scaled = logits.float().div(_column(logits, [each.decoding.temperature for each in samplers]))
    cuts = torch.tensor(
        [[each.decoding.top_k or logits.shape[-1], each.decoding.top_p, each.uniform()] for each in samplers],
        dtype=torch.float64,
        device=logits.device,
    )
    tokens = _draw_from_head(scaled, cuts)
    rest = (tokens < 0).nonzero().squeeze(-1)
    if len(rest):
        ordered, ids = scaled[rest].sort(dim=-1, descending=True, stable=True)
        kept = _kept(ordered, ordered.logsumexp(dim=-1, keepdim=True), cuts[rest])
        place = torch.searchsorted(kept, kept[:, -1:] * cuts[rest, 2:], right=True).clamp(max=kept.shape[-1] - 1)
        tokens[rest] = ids.gather(-1, place).squeeze(-1)
    return tokens


def _draw_from_head(scaled: torch.Tensor, cuts: torch.Tensor) -> torch.Tensor:
    """The tokens of rows for which the most probable ones decide, `[rows]`; -1 for the others.

    Sorting a vocabulary costs more than a small model's forward pass, and few tokens hold most of the probability.
    """
    if scaled.shape[-1] <= HEAD:
        return torch.full((len(scaled),), -1, device=scaled.device)
    ordered, ids = _head(scaled)
    kept = _kept(ordered, scaled.logsumexp(dim=-1, keepdim=True), cuts)
    # Of tokens as probable as the last one here some may be missing.
    certain = ordered > ordered[:, -1:]
    # A sum that stands still was cut by top-k or top-p.
    closed = ((kept[:, 1:] == kept[:, :-1]) & certain[:, 1:]).any(dim=-1, keepdim=True)
    most, shares = cuts[:, :1], cuts[:, 1:2]
    uncut = (most >= scaled.shape[-1]) & (shares >= 1)
    known = (most < HEAD) | (most >= scaled.shape[-1])
    total = torch.where(closed, kept[:, -1:], 1.0)
    place = torch.searchsorted(kept, total * cuts[:, 2:], right=True).clamp(max=HEAD - 1)
    decided = (closed | uncut) & known & certain.gather(-1, place)
    return torch.where(decided, ids.gather(-1, place), -1).squeeze(-1)


def _head(scaled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest logits and their token ids, `[rows, HEAD]` each, highest first, of equal ones the lower id first."""
    ids = scaled.topk(HEAD, dim=-1, sorted=False).indices.sort(dim=-1).values
    ordered, places = scaled.gather(-1, ids).sort(dim=-1, descending=True, stable=True)
    return ordered, ids.gather(-1, places)


def _kept(ordered: torch.Tensor, whole: torch.Tensor, cuts: torch.Tensor) -> torch.Tensor:
    """Cumulated probability of the kept tokens, `[rows, tokens]`.

    Args:
        ordered: Logits, highest first, `[rows, tokens]`.
        whole: Their log-sum-exp over the vocabulary, `[rows, 1]`.
        cuts: Top-k, top-p and a uniform number of each row, `[rows, 3]`.
    """
    rank = torch.arange(ordered.shape[-1], device=ordered.device)
    most, shares = cuts[:, :1], cuts[:, 1:2].float()
    within = ordered.masked_fill(rank >= most, -torch.inf)
    norm = torch.where(most <= rank[-1], within.logsumexp(dim=-1, keepdim=True), whole)
    probabilities = (within - norm).exp()
    # The token that crosses top-p is kept, so what counts is the probability before it.
    before = probabilities.cumsum(dim=-1) - probabilities
    return probabilities.masked_fill((before >= shares) & (rank > 0), 0.0).double().cumsum(dim=-1)


def _column(like: torch.Tensor, values: Sequence[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device).unsqueeze(-1)
