"""Which rows are computed together: a function of the rows alone, so that a repeat gives the same numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmval.servers.engine.plan import SHORTEST_SHARED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence


def plan_batches(rows: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Indices of rows in batches: prompts with a common start side by side, then longest first.

    Padding is least among rows of similar length; the longest come first, so that memory runs out early or never.
    """
    heads = [tuple(row[:SHORTEST_SHARED_PREFIX]) for row in rows]
    members = Counter(heads)
    # A start that fills half a batch is worth its own batches; rarer ones would only scatter the lengths.
    enough = max(2, batch_size // 2)
    families = {head: number for number, head in enumerate(members) if members[head] >= enough}
    order = sorted(range(len(rows)), key=lambda at: (families.get(heads[at], -1), -len(rows[at]), at))
    return [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
