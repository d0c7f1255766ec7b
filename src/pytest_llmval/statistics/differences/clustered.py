"""The mean of differences that come in groups, such as questions about one text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.mean import MeanWithError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.intervals import Interval

    Floats = NDArray[np.float64]

_FEWEST_FOR_SPREAD = 2


def clustered_interval(
    differences: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.90
) -> Interval:
    """Interval for a mean whose cases are independent between clusters only.

    Args:
        differences: One a case, candidate − baseline.
        clusters: Cluster of each case.
        confidence: Two-sided coverage, in (0, 1).

    Raises:
        ValueError: If the columns differ in length or there is one cluster only. Below five clusters the interval
            is not to be trusted; verdicts refuse it.

    Source:
        E. Miller, arXiv:2411.00640 (2024), appendix A; ours has the correction G/(G−1) and t with G−1 degrees,
        which its simulation-sized samples do not need and five clusters do.

    >>> clusters = "a", "a", "b", "b", "c", "c"
    >>> round(clustered_interval([1, 0, 0, 0, 1, 1], clusters).low, 2)
    -0.34
    """
    return clustered_mean(differences, clusters).interval(confidence)


def clustered_mean(differences: Sequence[float], clusters: Sequence[Hashable]) -> MeanWithError:
    """The mean with its CR1 standard error: residuals are summed within a cluster, then squared.

    Raises:
        ValueError: If the columns differ in length or there is one cluster only, which has no spread to show.
    """
    column = np.asarray(differences, dtype=float)
    places = cluster_places(clusters, column.size)
    count = int(places.max(initial=-1)) + 1
    if count < _FEWEST_FOR_SPREAD:
        msg = f"{count} cluster; the spread between clusters needs at least 2"
        raise ValueError(msg)
    mean = float(column.mean())
    sums = np.bincount(places, weights=column - mean)
    error = math.sqrt(float(sums @ sums) * count / (count - 1)) / column.size
    return MeanWithError(mean, error, count - 1)


def cluster_sums(values: Sequence[float] | Floats, clusters: Sequence[Hashable]) -> Floats:
    """Sum of the values of each cluster ``[clusters]``, in order of first appearance.

    Raises:
        ValueError: If the columns differ in length.
    """
    column = np.asarray(values, dtype=float)
    return np.bincount(cluster_places(clusters, column.size), weights=column).astype(float)


def cluster_places(clusters: Sequence[Hashable], cases: int) -> NDArray[np.intp]:
    """Number of the cluster of each case ``[cases]``: 0 for the first to appear, 1 for the next.

    Raises:
        ValueError: If there are not as many as cases.
    """
    if len(clusters) != cases:
        msg = f"{cases} values but {len(clusters)} clusters; expected one cluster a value"
        raise ValueError(msg)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.intp)
