"""Halves: the recorded trials of each case, dealt at random to two sides that stand for candidate and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ABSENT = 2.0  # sorts behind every random key


@dataclass(frozen=True, slots=True)
class Halves:
    """One deal."""

    candidate: NDArray[np.float64]
    """[scored, trials]"""
    baseline: NDArray[np.float64]
    """[scored, trials]"""


@dataclass(frozen=True, slots=True)
class Pool:
    """The recorded values of one metric, read from the evidence of a gate."""

    fields: dict[str, Any]
    """The scores, as evidence holds them."""
    places: tuple[int, ...]
    """Where the scored cases stand among all."""
    table: NDArray[np.float64]
    """[scored, trials], NaN where a case has fewer trials than others; one column when there is nothing to deal."""
    a_side: int
    """Trials a side of each case; 0 when a case has but one value, so that both sides are the same."""

    @property
    def varies(self) -> bool:
        """Whether any case has trials that differ."""
        return bool(np.any(np.nanmax(self.table, axis=1) > np.nanmin(self.table, axis=1))) if self.places else False

    def deal(self, random: np.random.Generator) -> Halves:
        """As many trials of each case to either side; of an odd number one is left over."""
        if not self.a_side:
            return Halves(self.table, self.table)
        keys = np.where(np.isnan(self.table), _ABSENT, random.random(self.table.shape))
        order = np.argsort(keys, axis=1)[:, : 2 * self.a_side]
        dealt = np.take_along_axis(self.table, order, axis=1)
        return Halves(dealt[:, : self.a_side], dealt[:, self.a_side :])

    def scores(self, side: NDArray[np.float64], *, by_trial: bool = True) -> dict[str, Any]:
        """The scores of one side, as evidence holds them; ``by_trial`` says whether with the value of each trial."""
        values = list(self.fields["values"])
        # Within their own range: a mean of equal values is that value, whatever rounding does.
        means = side.mean(axis=1).clip(side.min(axis=1), side.max(axis=1)).tolist()
        for place, mean in zip(self.places, means, strict=True):
            values[place] = mean
        kept = self._by_trial(side) if by_trial and self.a_side > 1 else None
        return self.fields | {"values": values, "trials": self.a_side or self.fields["trials"], "by_trial": kept}

    def _by_trial(self, side: NDArray[np.float64]) -> list[list[float]]:
        rows: list[list[float]] = [[] for _ in self.fields["ids"]]
        for place, row in zip(self.places, side.tolist(), strict=True):
            rows[place] = row
        return rows


def pool_of(fields: dict[str, Any]) -> Pool:
    """The values of one side of a gate's evidence, by trial where they were kept.

    Raises:
        KeyError: If the evidence lacks a field.
    """
    places = tuple(place for place, value in enumerate(fields["values"]) if value is not None)
    by_trial = fields.get("by_trial")
    rows = [list(map(float, by_trial[place])) for place in places] if by_trial else []
    a_side = min(map(len, rows), default=0) // 2
    if not a_side:
        rows = [[float(fields["values"][place])] for place in places]
    return Pool(fields, places, _padded(rows), a_side)


def _padded(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    table = np.full((len(rows), max(map(len, rows), default=1)), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table
