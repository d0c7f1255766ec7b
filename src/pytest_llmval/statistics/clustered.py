"""The mean of differences that come in groups, such as questions about one text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.intervals import Interval, t_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

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
    error, count = clustered_standard_error(differences, clusters), len(set(clusters))
    return t_interval(float(np.mean(differences)), error, count - 1, confidence)


def clustered_standard_error(differences: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """CR1 standard error of the mean: residuals are summed within a cluster, then squared.

    Raises:
        ValueError: If the columns differ in length or there is one cluster only, which has no spread to show.
    """
    residuals = np.asarray(differences, dtype=float) - float(np.mean(differences))
    sums = cluster_sums(residuals.tolist(), clusters)
    if sums.size < _FEWEST_FOR_SPREAD:
        msg = f"{sums.size} cluster; the spread between clusters needs at least 2"
        raise ValueError(msg)
    return math.sqrt(float(sums @ sums) * sums.size / (sums.size - 1)) / len(differences)


def cluster_sums(values: Sequence[float], clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    """Sum of the values of each cluster ``[clusters]``, in order of first appearance.

    Raises:
        ValueError: If the columns differ in length.
    """
    if len(values) != len(clusters):
        msg = f"{len(values)} values but {len(clusters)} clusters; expected one cluster a value"
        raise ValueError(msg)
    places = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    members = [places[name] for name in clusters]
    return np.bincount(members, weights=np.asarray(values, dtype=float), minlength=len(places)).astype(float)
