"""Dependence within clusters: how alike their cases are, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_places

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_FEWEST_FOR_SPREAD = 2


def design_effect(sizes: Sequence[int], correlation: float) -> float:
    """By how much clusters inflate the variance of a mean: n cases are worth n / design effect independent ones.

    Args:
        sizes: Cases of each cluster, at least 1.
        correlation: Intraclass correlation, such as `intraclass_correlation`, in [−1, 1].

    Returns:
        1 + (m − 1)·correlation, where m is the size of the cluster of a case, averaged over cases: the common size
        when all are equal, and more than the mean size when they are not. It is above 1 when cases of a cluster are
        alike.

    Raises:
        ValueError: If there is no cluster, one is empty, or the correlation is none.

    Source:
        S. M. Eldridge, D. Ashby, S. Kerry, Int. J. Epidemiol. 35 (2006) 1292, for unequal sizes.

    >>> round(design_effect([10, 10, 10], 0.3), 3)
    3.7
    """
    column = np.asarray(sizes, dtype=float)
    if not column.size or not (column >= 1).all() or not -1 <= correlation <= 1:
        msg = f"sizes={sizes!r}, correlation={correlation!r}; expected clusters of 1 case or more, and [-1, 1]"
        raise ValueError(msg)
    return 1 + (float(column @ column / column.sum()) - 1) * correlation


def intraclass_correlation(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Correlation of two cases of one cluster, by analysis of variance: 1 when they are equal, about 0 at random.

    Args:
        values: One a case, for example differences candidate − baseline.
        clusters: Cluster of each case.

    Returns:
        At most 1; below 0 when cases of a cluster differ more than cases of different clusters.

    Raises:
        ValueError: If there is one cluster only, no cluster has two cases, or all values are equal.

    Source:
        A. Donner, Int. Stat. Rev. 54 (1986) 67: (MSB − MSW) / (MSB + (m₀ − 1)·MSW).

    >>> round(intraclass_correlation([1, 2, 5, 6], ["a", "a", "b", "b"]), 3)
    0.939
    """
    column = np.asarray(values, dtype=float)
    places = cluster_places(clusters, column.size)
    sizes = np.bincount(places)
    if sizes.size < _FEWEST_FOR_SPREAD or sizes.max() < _FEWEST_FOR_SPREAD:
        msg = f"{column.size} values in {sizes.size} clusters; expected at least 2 clusters, one of them of 2 cases"
        raise ValueError(msg)
    means = np.bincount(places, weights=column) / sizes
    between = float(sizes @ (means - column.mean()) ** 2) / (sizes.size - 1)
    within = float(((column - means[places]) ** 2).sum()) / (column.size - sizes.size)
    size = (column.size - float(sizes @ sizes) / column.size) / (sizes.size - 1)
    if between == within == 0:
        msg = f"all {column.size} values are equal; a correlation needs values that differ"
        raise ValueError(msg)
    return (between - within) / (between + (size - 1) * within)
