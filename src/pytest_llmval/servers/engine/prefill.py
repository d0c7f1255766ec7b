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

    def join(self, *others: Context) -> Context:
        """These rows, then those of the others; all end in the same column, and none is kept that no row uses."""
        if not others:
            return self
        parts = (self, *others)
        columns = max(_used(part.mask) for part in parts)
        cache = fork_cache(self.cache)
        for number, layer in enumerate(cache.layers):
            if layer.is_initialized:  # layers that share the keys of another one are not
                layers = [part.cache.layers[number] for part in parts]
                layer.keys = _stacked([each.keys for each in layers], columns)
                layer.values = _stacked([each.values for each in layers], columns)
        mask = _stacked([part.mask.unsqueeze(-1) for part in parts], columns).squeeze(-1)
        return Context(self.network, cache, mask, torch.cat([part.logits for part in parts]))

    def read(self, ids: torch.Tensor, mask: torch.Tensor, keep: int = 0) -> torch.Tensor:
        """Read more columns `[rows, columns]` and return the logits of the last `keep` of them."""
        self.mask = torch.cat([self.mask, mask], dim=1)
        return self.network.logits(ids, self.mask, self.cache, keep)

    def step(self, tokens: Sequence[int]) -> None:
        """Read one more token a row."""
        ids = torch.tensor(tokens, device=self.mask.device).unsqueeze(1)
        self.logits = self.read(ids, torch.ones_like(ids), keep=1)[:, -1]


@dataclass(frozen=True, slots=True)
class Stem:
    """A start of several rows, read once."""

    ids: list[int]
    cache: Any
    """Of one row; does not grow."""

    def cut(self, tokens: int) -> Stem:
        """The first tokens of this stem."""
        cache = fork_cache(self.cache)
        for layer in cache.layers:
            if layer.is_initialized:
                layer.keys, layer.values = layer.keys[:, :, :tokens], layer.values[:, :, :tokens]
        return Stem(self.ids[:tokens], cache)


def prefill(network: Network, rows: Sequence[Sequence[int]], following: int) -> Context:
    """The context of rows of token ids, none of them empty.

    Args:
        network: The model.
        rows: Token ids of each row.
        following: Most columns that will be read after them.
    """
    return prefill_after(network, rows, find_stem(network, rows, following))


def find_stem(
    network: Network, rows: Sequence[Sequence[int]], following: int, known: Stem | None = None
) -> Stem | None:
    """The stem of these rows: what they have of a known one where little more is to be gained, else read now."""
    shared = shared_prefix(network, rows, following)
    had = 0 if known is None else min(agreement(known.ids, row[:-1]) for row in rows)
    # What is missing from the known stem is read in each row, instead of the whole new stem once.
    if known is not None and had >= SHORTEST_SHARED_PREFIX and len(rows) * (shared - had) <= shared:
        return known.cut(had)
    ids = list(rows[0][:shared])
    return Stem(ids, network.read_prefix(ids)) if ids else None


def prefill_after(network: Network, rows: Sequence[Sequence[int]], stem: Stem | None) -> Context:
    """The context of rows of token ids that begin with the stem and go on after it."""
    shared, cache = 0, network.new_cache()
    if stem is not None:
        shared, cache = len(stem.ids), fork_cache(stem.cache)
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


def _used(mask: torch.Tensor) -> int:
    """Columns of a mask `[rows, columns]` from the first that a row uses."""
    return int(mask.shape[1] - mask.any(dim=0).int().argmax())


def _stacked(parts: Sequence[torch.Tensor], columns: int) -> torch.Tensor:
    """Rows of tensors `[rows, …, columns, size]`, cut or filled with zeros on the left to so many columns."""
    first = parts[0]
    stacked = first.new_zeros(sum(len(part) for part in parts), *first.shape[1:-2], columns, first.shape[-1])
    row = 0
    for part in parts:
        width = min(columns, part.shape[-2])
        stacked[row : row + len(part), ..., columns - width :, :] = part[..., part.shape[-2] - width :, :]
        row += len(part)
    return stacked
