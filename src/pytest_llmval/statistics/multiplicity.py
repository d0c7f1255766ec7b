"""P-values of several questions asked at once, adjusted for there being several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the given order: those at most α hold together with a chance of error of at most α.

    Args:
        p_values: One a question, in [0, 1]; they may depend on each other in any way.

    Raises:
        ValueError: If a value is no probability.

    Source:
        S. Holm, Scand. J. Stat. 6 (1979) 65.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    column, order = _ranked(p_values)
    questions_left = column.size - np.arange(column.size)
    return _in_place(np.maximum.accumulate(column[order] * questions_left), order)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the given order: of those at most α, a share of at most α is wrong on average.

    For looking around, not for gates: it allows more errors the more is found. The values must be independent or
    positively dependent.

    Args:
        p_values: One a question, in [0, 1].

    Raises:
        ValueError: If a value is no probability.

    Source:
        Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289.

    >>> [round(p, 2) for p in benjamini_hochberg([0.01, 0.04, 0.03, 0.005])]
    [0.02, 0.04, 0.04, 0.02]
    """
    column, order = _ranked(p_values)
    ranks = np.arange(1, column.size + 1)
    steps = column[order] * (column.size / ranks)
    return _in_place(np.minimum.accumulate(steps[::-1])[::-1], order)


def _ranked(p_values: Sequence[float]) -> tuple[Floats, NDArray[np.intp]]:
    """The values, and their places from the least to the largest."""
    column = np.asarray(p_values, dtype=float)
    wrong = column[~((column >= 0) & (column <= 1))]
    if wrong.size:
        msg = f"p-value {float(wrong[0])!r}; expected probabilities in [0, 1]"
        raise ValueError(msg)
    return column, np.argsort(column, kind="stable")


def _in_place(adjusted: Floats, order: NDArray[np.intp]) -> tuple[float, ...]:
    column = np.empty_like(adjusted)
    column[order] = np.minimum(adjusted, 1.0)
    return tuple(column.tolist())
