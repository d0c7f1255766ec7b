"""Random choices in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


def happens(probability: float, rng: Random) -> bool:
    """True with the probability given."""
    return rng.random() < probability
