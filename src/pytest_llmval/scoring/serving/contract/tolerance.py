"""Tolerance: by how much the numbers of a server may differ from those of the reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Natural logprobs. Other kernels in float32 differ by 1e-5; half precision by 0.01 on average, single tokens more.

    The faults that are looked for are far larger: a shift by one or another base change a logprob by 1 and more.
    """

    mean: float = 0.02
    """Largest mean difference of an answer's logprobs."""
    largest: float = 0.1
    """Largest difference of a single token's logprob."""
    tie: float = 1e-3
    """Two tokens whose logprobs are this close are equally probable: either may come in a greedy answer."""


USUAL = Tolerance()
