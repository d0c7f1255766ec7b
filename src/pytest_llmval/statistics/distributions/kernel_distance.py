"""Whether two samples of vectors, such as embeddings, come from one distribution: maximum mean discrepancy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEWEST_VECTORS = 2


def mmd_squared(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], *, gamma: float | None = None
) -> float:
    """Squared maximum mean discrepancy under the kernel exp(−γ‖x − y‖²), unbiased: about 0, or below, without drift.

    Args:
        first: One vector a case ``[n, features]``.
        second: One vector a case ``[m, features]``.
        gamma: Width of the kernel, above 0; None for 1/(2·median²) of the distances between all vectors.

    Returns:
        At most 2; for a verdict compare it with its values when cases are exchanged at random.

    Raises:
        ValueError: If a sample has fewer than two vectors, their lengths differ, gamma is not above 0, or the median
            distance is 0, so that it says nothing about the width.

    Source:
        A. Gretton et al., J. Mach. Learn. Res. 13 (2012) 723, lemma 6.

    >>> mmd_squared([[0.0], [0.0]], [[1.0], [1.0]], gamma=1e6)
    2.0
    """
    one, other = _checked(first, second)
    both = np.concatenate([one, other])
    both = both - both.mean(axis=0)  # distances far from 0 would lose their digits
    squares = np.maximum(0.0, (both**2).sum(axis=1)[:, np.newaxis] + (both**2).sum(axis=1) - 2 * both @ both.T)
    alike = np.exp(-_width(gamma, squares) * squares)
    n, m = len(one), len(other)
    within = (_off_diagonal(alike[:n, :n]), _off_diagonal(alike[n:, n:]))
    return within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * float(alike[:n, n:].mean())


def _off_diagonal(alike: Floats) -> float:
    return float(alike.sum() - np.trace(alike))


def _checked(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    is_table = one.ndim == other.ndim == 2  # noqa: PLR2004 - rows and columns
    if not is_table or one.shape[1] != other.shape[1] or min(len(one), len(other)) < _FEWEST_VECTORS:
        msg = f"vectors of shapes {one.shape} and {other.shape}; expected [cases, features], each of 2 cases or more"
        raise ValueError(msg)
    return one, other


def _width(gamma: float | None, squares: Floats) -> float:
    """The kernel's γ, from the median of the squared distances when it is not given."""
    if gamma is None:
        median = float(np.median(squares[np.triu_indices(len(squares), 1)]))
        gamma = 1 / (2 * median) if median else 0.0
    if not gamma > 0:
        msg = f"gamma={gamma!r}; expected a number above 0, and one given where half of the vectors are equal"
        raise ValueError(msg)
    return gamma
