"""Levels of a family of gates: many gates may not add up to a false alarm.

A run fails when any gate calls the candidate regressed, so that α is shared out before any score is seen: equally
between the items that compare with a baseline, whose number is known at collection, and within an item by a series,
because how many gates a test will run is known only when it has run.
"""

from __future__ import annotations

import math


def adjusted_alpha(alpha: float, gates: int) -> float:
    """The level of each of ``gates`` gates that keeps a false alarm in any of them below ``alpha``.

    Raises:
        ValueError: If there is no gate or alpha is not inside (0, 1).

    Source:
        Bonferroni; it holds whatever the dependence of the gates, and unlike Holm's each gate can be decided at
        once, without the p-values of gates that other workers have yet to run.

    >>> adjusted_alpha(0.05, 5)
    0.01
    """
    if gates < 1 or not 0 < alpha < 1:
        msg = f"alpha={alpha!r}, gates={gates!r}; expected a level between 0 and 1 and at least 1 gate"
        raise ValueError(msg)
    return alpha / gates


def series_weight(position: int) -> float:
    """Share of an item's level for its gate number ``position`` = 1, 2, 3…: 6/(π²·position²), which sums to 1.

    Most items have one gate, and it keeps 61 % of the level (z from 1.64 to 1.88) where halving, 1/2, 1/4, 1/8…,
    would leave it 50 %. Later gates keep something too: the eighth gets 0.9 %, with halving 0.4 %.

    Raises:
        ValueError: If the position is below 1.

    Source:
        L. Euler's Σ 1/k² = π²/6; as a spending series see A. Javanmard, A. Montanari, Ann. Stat. 46 (2018) 526.

    >>> [round(series_weight(position), 3) for position in (1, 2, 3)]
    [0.608, 0.152, 0.068]
    """
    if position < 1:
        msg = f"position={position!r}; expected 1 for the first gate of an item"
        raise ValueError(msg)
    return 6 / (math.pi * position) ** 2


def gate_alpha(alpha: float, items: int, position: int) -> float:
    """Level for one gate: ``alpha`` shared between ``items``, then by the gate's ``position`` in its item.

    >>> round(gate_alpha(0.05, items=10, position=1), 5)
    0.00304
    """
    return adjusted_alpha(alpha, items) * series_weight(position)
