"""How far a model has memorised a planted secret."""

from __future__ import annotations

import math


def exposure(rank: int, candidates: int) -> float:
    """Bits by which a model makes a planted secret easier to guess: 0 at the last rank, log₂ candidates at the first.

    Args:
        rank: Place of the secret among all candidates by probability, 1 for the most probable.
        candidates: Secrets that could have been planted as well.

    Raises:
        ValueError: If the rank is none of 1 to candidates.

    Source:
        N. Carlini et al., The Secret Sharer, arXiv:1802.08232 (2018).

    >>> exposure(1, 1024)
    10.0
    """
    if not 1 <= rank <= candidates:
        msg = f"rank={rank!r}; expected a place from 1 to candidates={candidates!r}"
        raise ValueError(msg)
    return math.log2(candidates) - math.log2(rank)
