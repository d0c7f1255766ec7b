"""Sizes and angles of tensors, without overflow and without 0 / 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats


def norm(values: Floats) -> float:
    """Euclidean norm over all axes."""
    largest = float(np.abs(values).max(initial=0.0))
    # Squares of numbers beyond 1e±154 are no floats, hence in units of the largest.
    return largest * float(np.linalg.norm((values / largest).ravel())) if largest else 0.0


def root_mean_square(values: Floats) -> float:
    """Root of the mean square, 0 for no values."""
    return norm(values) / math.sqrt(values.size) if values.size else 0.0


def ratio(part: float, whole: float) -> float:
    """The quotient of two numbers of at least 0: 0 for nothing of nothing, infinite for something of nothing."""
    return part / whole if whole else (math.inf if part else 0.0)


def cosine(actual: Floats, expected: Floats) -> float:
    """Cosine of the angle between two tensors of one shape, in [−1, 1]; 1 when both are zero, 0 when one is."""
    ours, theirs = norm(actual), norm(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    return float(np.clip(np.vdot(actual / ours, expected / theirs), -1.0, 1.0))
