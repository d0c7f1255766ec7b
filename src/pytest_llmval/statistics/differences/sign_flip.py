"""Permutation test for paired differences: under no change each sign could as well be the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_llmval.statistics.differences.clustered import cluster_sums

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

Alternative = Literal["two-sided", "greater", "less"]

_EXACT_UP_TO = 16  # 2¹⁶ sums are done in a millisecond
_DRAWN_TOGETHER = 10
_TIE = 1e-9  # of the sum of sizes: the same sum in another order differs in its last bits


def sign_flip_p(
    differences: Sequence[float],
    *,
    alternative: Alternative = "two-sided",
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 9999,
    seed: int = 0,
) -> float:
    """P-value of the mean difference when all signs are equally likely.

    All sign patterns are counted when at most 16 differences (or clusters) are not 0; otherwise ``resamples`` of them
    are drawn, and the observed one is counted among them, so the value is never 0.

    Args:
        differences: One a case, candidate − baseline.
        alternative: `less` asks whether the candidate is worse, `greater` whether it is better.
        clusters: Cluster of each case; all cases of a cluster then flip together.
        resamples: Patterns drawn when there are too many to count, at least 1.
        seed: Seed of the draw: the same seed gives the same value.

    Raises:
        ValueError: If there is no difference, the alternative is unknown, or ``resamples`` is below 1.

    Source:
        R. A. Fisher, The Design of Experiments (1935), section 21.

    >>> sign_flip_p([1.0, 2.0, 3.0], alternative="greater")
    0.125
    """
    if not len(differences) or alternative not in ("two-sided", "greater", "less"):
        msg = f"{len(differences)} differences, alternative={alternative!r}; expected 'two-sided', 'greater' or 'less'"
        raise ValueError(msg)
    if resamples < 1:
        msg = f"resamples={resamples!r}; expected at least 1"
        raise ValueError(msg)
    sums = np.asarray(differences, dtype=float) if clusters is None else cluster_sums(differences, clusters)
    turned = -sums if alternative == "less" else sums
    moving = turned[turned != 0]
    magnitudes = np.sort(np.abs(moving))  # so that neither order nor direction has a part in what is drawn
    if moving.size <= _EXACT_UP_TO:
        return _share_as_extreme(_all_sums(magnitudes), moving, alternative)
    drawn = _drawn_sums(magnitudes, resamples, seed)
    return (1 + _share_as_extreme(drawn, moving, alternative) * resamples) / (resamples + 1)


def _share_as_extreme(sums: NDArray[np.float64], moving: NDArray[np.float64], alternative: Alternative) -> float:
    observed, tolerance = math.fsum(moving), _TIE * float(np.abs(moving).sum())
    if alternative == "two-sided":
        return float(np.mean(np.abs(sums) >= abs(observed) - tolerance))
    return float(np.mean(sums >= observed - tolerance))


def _all_sums(magnitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in magnitudes:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_sums(magnitudes: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    # The signs of ten values give one of 1024 sums: all are made once, and a resample draws one instead of ten signs.
    random, sums = np.random.default_rng(seed), np.zeros(resamples)
    for start in range(0, magnitudes.size, _DRAWN_TOGETHER):
        every = _all_sums(magnitudes[start : start + _DRAWN_TOGETHER])
        sums += every[random.integers(0, every.size, resamples)]
    return sums
