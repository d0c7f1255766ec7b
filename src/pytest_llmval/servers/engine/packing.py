"""Rows that hold a tree of readings each: one forward pass with a 4-D mask and explicit positions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from pytest_llmval.servers.engine.layout import lay_out_batch
from pytest_llmval.servers.engine.prefill import fork_cache
from pytest_llmval.servers.engine.token_scores import TokenScores, score_tokens, split_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.engine.layout import Layout, Sheet
    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.engine.plan import Packing
    from pytest_llmval.servers.engine.token_scores import Tail


def readings_of(tails: Sequence[Tail]) -> dict[tuple[int, ...], int]:
    """What the model reads for rows of which the last tokens are scored, and the first position that is wanted."""
    starts: dict[tuple[int, ...], int] = {}
    for tail in tails:
        read, start = tail.ids[:-1], len(tail.ids) - 1 - tail.scored
        starts[read] = min(start, starts.get(read, start))
    return starts


def score_packed(network: Network, tails: Sequence[Tail], packing: Packing) -> list[TokenScores]:
    """Scores of the last tokens of each row; the packing is one of all that is read for them."""
    askers: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, tail in enumerate(tails):
        askers[tail.ids[:-1]].append(at)
    scores: dict[int, TokenScores] = {}
    for prefix, batches in packing.batches:
        ids = packing.readings.ids
        cache = network.read_prefix(ids[batches[0][0].first][:prefix]) if prefix else None
        for sheet in (lay_out_batch(packing.readings, batch, prefix) for batch in batches):
            places = {asker: place for at, place in sheet.places.items() for asker in askers[ids[at]]}
            scores |= _score_sheet(network, sheet, cache, {asker: tails[asker] for asker in places}, places)
    return [scores[at] for at in range(len(tails))]


def _score_sheet(
    network: Network, sheet: Sheet, cache: Any, tails: Mapping[int, Tail], places: Mapping[int, Sequence[int]]
) -> dict[int, TokenScores]:
    """Scores of tails by their number, given where the logits before their last tokens are."""
    logits = read_sheet(network, sheet, cache).flatten(0, 1)
    rows = [place for at, tail in tails.items() for place in places[at][-tail.scored :]]
    targets = [token for tail in tails.values() for token in tail.ids[-tail.scored :]]
    found = split_scores(score_tokens(logits, targets, rows), [tail.scored for tail in tails.values()])
    return dict(zip(tails, found, strict=True))


def read_sheet(network: Network, sheet: Sheet, cache: Any = None) -> torch.Tensor:
    """Logits `[rows, kept, vocabulary]` of one forward pass, after the prefix in the cache, which stays as it is."""
    gaps = [sheet.width - len(row.ids) for row in sheet.rows]
    ids = [[0] * gap + list(row.ids) for gap, row in zip(gaps, sheet.rows, strict=True)]
    positions = [[0] * gap + list(row.positions) for gap, row in zip(gaps, sheet.rows, strict=True)]
    seen = torch.stack([_tree_mask(row, gap, sheet.prefix) for gap, row in zip(gaps, sheet.rows, strict=True)])
    if cache is not None:
        cache = fork_cache(cache)
        cache.batch_repeat_interleave(len(sheet.rows))
    return network.logits_at(torch.tensor(ids), torch.tensor(positions), seen, sheet.kept, cache)


def _tree_mask(row: Layout, gap: int, prefix: int) -> torch.Tensor:
    """Which columns `[width, prefix + width]` each column of a row sees, `gap` columns of padding in front."""
    width = gap + len(row.ids)
    # Padding sees itself, since a softmax over nothing is not a number.
    seen = torch.eye(width, dtype=torch.bool)
    for branch in row.branches:
        own = slice(gap + branch.start, gap + branch.end)
        seen[own, own] = torch.ones(branch.end - branch.start, branch.end - branch.start, dtype=torch.bool).tril()
        seen[own, [gap + column for column in branch.before]] = True
    ahead = torch.zeros(width, prefix, dtype=torch.bool)
    ahead[gap:] = True
    return torch.cat([ahead, seen], dim=1)
