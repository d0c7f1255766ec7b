"""The next token of each row: the most probable one, or a draw from the row's own random stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import Decoding, Request


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
    """
    ordered, ids = (
        logits.float()
        .div(_column(logits, [each.decoding.temperature for each in samplers]))
        .sort(dim=-1, descending=True, stable=True)
    )
    rank = torch.arange(logits.shape[-1], device=logits.device)
    most = _column(logits, [each.decoding.top_k or logits.shape[-1] for each in samplers])
    probabilities = ordered.masked_fill(rank >= most, -torch.inf).softmax(dim=-1)
    # The token that crosses top-p is kept, so what counts is the probability before it.
    before = probabilities.cumsum(dim=-1) - probabilities
    shares = _column(logits, [each.decoding.top_p for each in samplers])
    kept = probabilities.masked_fill((before >= shares) & (rank > 0), 0.0).double().cumsum(dim=-1)
    goal = kept[:, -1:] * torch.tensor([[each.uniform()] for each in samplers], dtype=kept.dtype, device=kept.device)
    return ids.gather(-1, torch.searchsorted(kept, goal, right=True).clamp(max=logits.shape[-1] - 1)).squeeze(-1)


def _column(like: torch.Tensor, values: Sequence[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device).unsqueeze(-1)
