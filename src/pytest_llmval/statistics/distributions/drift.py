"""Whether what comes in or out is distributed as before: the stability index and the Jensen-Shannon divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SMALL_SHIFT = 0.1
_FEWEST_CELLS = 2
_ADDED = 0.5  # to each cell when one is empty, whose logarithm would be infinite


@dataclass(frozen=True, slots=True)
class Stability:
    """How far shares moved, and how far they would by chance."""

    index: float
    """Σ (p − q)·ln(p/q): 0 for equal shares."""
    threshold: float
    """What is exceeded by a shift that is neither chance nor small."""

    @property
    def has_drifted(self) -> bool:
        """Whether the shift is neither chance nor small."""
        return self.index > self.threshold


def population_stability(actual: Sequence[int], expected: Sequence[int], *, level: float = 0.01) -> Stability:
    """The population stability index of two samples counted in the same cells, beside what chance would make it.

    The usual rule, drift from 0.1 or 0.25 on, calls 85 % of pairs of equal samples drifted when they have 100 cases
    in 10 cells: without drift the index is near (1/n + 1/m)·χ² with cells − 1 degrees. Ours also asks that of it.

    Args:
        actual: Cases now in each cell.
        expected: Cases before in each cell. Cells that are empty in both are not counted.
        level: Chance of calling equal distributions drifted, in (0, 1).

    Raises:
        ValueError: If samples have different cells, one is empty, fewer than two cells are in use, or a count is
            negative.

    Source:
        B. Yurdakul, Statistical properties of the population stability index, Western Michigan University (2018).

    >>> population_stability([40, 30, 20, 10], [25, 25, 25, 25])  # doctest: +ELLIPSIS
    Stability(index=0.228..., threshold=0.226...)
    """
    now, before = _counts(actual, expected)
    if not 0 < level < 1:
        msg = f"level={level!r}; expected a number between 0 and 1, for example 0.01"
        raise ValueError(msg)
    chance = (1 / now.sum() + 1 / before.sum()) * float(special.chdtri(now.size - 1, level))
    added = _ADDED if min(now.min(), before.min()) == 0 else 0.0
    p, q = ((counts + added) / (counts + added).sum() for counts in (now, before))
    return Stability(float(((p - q) * np.log(p / q)).sum()), max(_SMALL_SHIFT, float(chance)))


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """Jensen-Shannon divergence in bits, from 0 for equal shares to 1 for shares without a common cell.

    It is the square of what scipy calls the Jensen-Shannon distance.

    Args:
        first: Counts, or shares, in each cell; brought to add up to 1.
        second: The same cells of the other.

    Raises:
        ValueError: If the cells differ, one column is all 0, or a number is negative.

    Source:
        J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145.

    >>> jensen_shannon([1, 0, 0], [0, 1, 0])
    1.0
    """
    p, q = (column / column.sum() for column in _checked(first, second))
    middle = (p + q) / 2
    nats = float((special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum()) / 2
    return min(1.0, max(0.0, nats / math.log(2)))


def _counts(actual: Sequence[int], expected: Sequence[int]) -> tuple[Floats, Floats]:
    now, before = _checked(actual, expected)
    used = now + before > 0
    if np.count_nonzero(used) < _FEWEST_CELLS:
        msg = f"{np.count_nonzero(used)} cell in use; shares can move between at least {_FEWEST_CELLS}"
        raise ValueError(msg)
    return now[used], before[used]


def _checked(first: Sequence[float], second: Sequence[float]) -> tuple[Floats, Floats]:
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if one.shape != other.shape or not all((column >= 0).all() and column.sum() > 0 for column in (one, other)):
        msg = (
            f"{one.tolist()!r:.60} and {other.tolist()!r:.60}; expected counts in the same cells, 0 or more, not all 0"
        )
        raise ValueError(msg)
    return one, other
