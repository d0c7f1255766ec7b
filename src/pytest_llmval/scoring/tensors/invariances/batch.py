"""Batches: rows of token ids brought to one width, and ids replaced by others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.tensors.invariances.prompts import Ids
    from pytest_llmval.scoring.tensors.pairs import Flags

Side = Literal["left", "right"]

PAD_AMOUNTS = (1, 7, 31, 32, 33)
"""Columns of padding: around a multiple of 32 kernels change tiles, and masks were wrong at `length % 32 == 1`."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What a model reads. Both arrays are `[rows, columns]`."""

    ids: Ids
    mask: Ids
    """1 where there is a token, 0 for padding."""

    @property
    def visible(self) -> Flags:
        """Where there is a token."""
        return np.asarray(self.mask == 1)

    @property
    def positions(self) -> Ids:
        """Place of each token among the tokens of its row, from 0; padding counts as the nearest of them."""
        return np.asarray((self.mask.cumsum(axis=1) - 1).clip(min=0))

    def with_ids(self, ids: Ids) -> Batch:
        """The same mask over other ids."""
        return replace(self, ids=ids)

    def in_order(self, order: Sequence[int]) -> Batch:
        """The given rows, in this order."""
        return Batch(self.ids[list(order)], self.mask[list(order)])

    def last_tokens(self) -> Flags:
        """Where each row has its last token, `[rows, columns]`."""
        lengths = self.mask.sum(axis=1, keepdims=True)
        return np.asarray(self.visible & (self.positions == lengths - 1))


def padded(rows: Sequence[Sequence[int]], side: Side = "left", amount: int = 0) -> Batch:
    """Rows brought to the width of the longest and `amount` columns more, the padding on one side."""
    width = max(map(len, rows)) + amount
    ids, mask = np.zeros((2, len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        where = slice(width - len(row), width) if side == "left" else slice(len(row))
        ids[place, where], mask[place, where] = row, 1
    return Batch(ids, mask)


def refuse_padding(sides: Sequence[str], amounts: Sequence[int], least: int = 1) -> None:
    """Refuse paddings that cannot be meant.

    Raises:
        ValueError: If a side is unknown, an amount is below `least`, or there is none of either.
    """
    known = get_args(Side)
    if isinstance(sides, str) or not sides or not set(sides) <= set(known):
        msg = f"sides={sides!r}; expected some of {', '.join(map(repr, known))}, in a tuple"
        raise ValueError(msg)
    if not amounts or min(amounts) < least:
        msg = f"amounts={amounts!r}; expected numbers of columns, at least one, each at least {least}"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Replacements:
    """A source of other token ids."""

    allowed: Ids
    """Ids that may be drawn, in order; at least two."""
    generator: np.random.Generator

    def into(self, ids: Ids, where: Flags) -> Ids:
        """The ids, those at `where` replaced by others, never by themselves."""
        places = self.generator.integers(len(self.allowed), size=ids.shape)
        drawn = self.allowed[places]
        following = self.allowed[(places + 1) % len(self.allowed)]
        return np.where(where, np.where(drawn == ids, following, drawn), ids)


def replacements(vocabulary: int, special: frozenset[int], seed: int) -> Replacements:
    """A source of ids below `vocabulary` that are not special.

    Raises:
        ValueError: If fewer than two are left.
    """
    allowed = np.array([token for token in range(vocabulary) if token not in special], dtype=np.int64)
    if len(allowed) < 2:  # noqa: PLR2004 - one to replace, one to replace it by
        msg = f"a vocabulary of {vocabulary} leaves {len(allowed)} ordinary ids; expected at least 2 to replace tokens"
        raise ValueError(msg)
    return Replacements(allowed, np.random.default_rng(seed))
