"""Damage: what is done to a candidate, by degrees, to see from which degree on a gate speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_llmval.verdicts.estimate import spread_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_llmval.verdicts.halves import Pool

_STEPS_A_DOUBLING = 8  # a shift is found to within 9 %
_DOUBLINGS = 20  # from a millionth of the spread to a million times it


class Damage(Protocol):
    """A change of the candidate that grows with its degree, 1 to `most`."""

    @property
    def most(self) -> int:
        """The largest degree."""

    def done(self, side: NDArray[np.float64], degree: int, run: int) -> NDArray[np.float64]:
        """The values [scored, trials] after it, in simulated run number ``run``."""

    def broken(self, degree: int) -> int | None:
        """Cases that are changed; None when all of them are."""


@dataclass(frozen=True, slots=True)
class Extremes:
    """As many cases as the degree says, at the end of the bounds; which ones is drawn anew for each run."""

    limit: float
    orders: NDArray[np.int64]
    """[runs, scored]"""

    @property
    def most(self) -> int:
        """All cases."""
        return int(self.orders.shape[1])

    def done(self, side: NDArray[np.float64], degree: int, run: int) -> NDArray[np.float64]:
        """The first cases in the order of the run are at the limit."""
        changed = side.copy()
        changed[self.orders[run, :degree]] = self.limit
        return changed

    def broken(self, degree: int) -> int | None:
        """The degree itself."""
        return degree


@dataclass(frozen=True, slots=True)
class Shift:
    """Every case moved by the same amount, for metrics without bounds."""

    spread: float
    """The yardstick: how far values lie apart."""
    sign: int
    """1 when values grow."""
    most: int = 2 * _DOUBLINGS * _STEPS_A_DOUBLING

    def done(self, side: NDArray[np.float64], degree: int, run: int) -> NDArray[np.float64]:  # noqa: ARG002 - the protocol has it
        """All values moved."""
        moved: NDArray[np.float64] = side + self.sign * self.spread * 2 ** (degree / _STEPS_A_DOUBLING - _DOUBLINGS)
        return moved

    def broken(self, degree: int) -> int | None:  # noqa: ARG002 - the protocol has it
        """All of them."""
        return None


def damage_to(pool: Pool, *, is_loss: bool, runs: int, random: np.random.Generator) -> Damage:
    """What can be done: cases to the worst bound (to the best when it is no loss), or a shift where there are none."""
    fields: dict[str, Any] = pool.fields
    upward = fields["higher_is_better"] is not is_loss
    if fields["bounds"] is None:
        return Shift(spread_of(np.nanmean(pool.table, axis=1).tolist()), 1 if upward else -1)
    orders = np.argsort(random.random((runs, len(pool.places))), axis=1)
    return Extremes(float(fields["bounds"][upward]), orders)
