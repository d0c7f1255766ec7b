"""Prompts are run through the model, a prefix that all rows share only once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pytest_llmval.servers.engine.plan import SHORTEST_SHARED_PREFIX, agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network


@dataclass(slots=True)
class Context:
    """Rows the model has read: their keys and values, and what it expects next."""

    network: Network
    cache: Any
    mask: torch.Tensor
    """`[rows, columns]`."""
    logits: torch.Tensor
    """Logits after each row's last token, `[rows, vocabulary]`."""

    def select(self, rows: Sequence[int]) -> Context:
        """The given rows, in this order and as often as they are named; this context stays as it is."""
        indices = torch.tensor(rows, device=self.mask.device)
        cache = fork_cache(self.cache)
        cache.reorder_cache(indices)
        return Context(self.network, cache, self.mask[indices], self.logits[indices])

    def read(self, ids: torch.Tensor, mask: torch.Tensor, keep: int = 0) -> torch.Tensor:
        """Read more columns `[rows, columns]` and return the logits of the last `keep` of them."""
        self.mask = torch.cat([self.mask, mask], dim=1)
        return self.network.logits(ids, self.mask, self.cache, keep)

    def step(self, tokens: Sequence[int]) -> None:
        """Read one more token a row."""
        ids = torch.tensor(tokens, device=self.mask.device).unsqueeze(1)
        self.logits = self.read(ids, torch.ones_like(ids), keep=1)[:, -1]


def prefill(network: Network, rows: Sequence[Sequence[int]], following: int) -> Context:
    """The context of rows of token ids, none of them empty.

    Args:
        network: The model.
        rows: Token ids of each row.
        following: Most columns that will be read after them.
    """
    shared = shared_prefix(network, rows, following)
    cache = network.new_cache()
    if shared:
        ids, mask = network.padded([rows[0][:shared]], "right")
        network.logits(ids, mask, cache, keep=1)
        cache.batch_repeat_interleave(len(rows))
    ids, mask = network.padded([row[shared:] for row in rows], "left")
    mask = torch.cat([mask.new_ones(len(rows), shared), mask], dim=1)
    return Context(network, cache, mask, network.logits(ids, mask, cache, keep=1)[:, -1])


def shared_prefix(network: Network, rows: Sequence[Sequence[int]], following: int) -> int:
    """Number of leading tokens computed once for all rows; 0 when sharing does not pay or is not sound."""
    shared = common_prefix(rows)
    columns = max(len(row) for row in rows) + following
    pays = len(rows) > 1 and shared >= SHORTEST_SHARED_PREFIX
    return shared if pays and columns <= network.gap_room else 0


def common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """Length of the longest prefix of all rows that leaves each at least one token."""
    # What the smallest and the largest row have in common, all rows between them have too.
    shared = agreement(min(map(list, rows)), max(map(list, rows)))
    return min(shared, *(len(row) - 1 for row in rows))


def fork_cache(cache: Any) -> Any:
    """A cache with the same tensors whose layers grow and shrink on their own."""
    fork = copy.copy(cache)
    fork.layers = [copy.copy(layer) for layer in cache.layers]
    return fork
