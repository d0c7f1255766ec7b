"""How likely the consistency test sees a model that is too sure, and how many cases it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.calibration.bins import BINS, checked, places_of
from pytest_llmval.statistics.power import smallest_sufficient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.calibration.bins import Binning

    Floats = NDArray[np.float64]

_DRAWS = 4000


def calibration_power(
    confidences: Sequence[float],
    excess: float,
    *,
    cases: int | None = None,
    level: float = 0.05,
    bins: int = BINS,
    binning: Binning = "mass",
    seed: int = 0,
) -> float:
    """Chance that the consistency test finds a model whose confidences are all too high by ``excess``.

    Args:
        confidences: Confidences such as the model gives, in [0, 1].
        excess: True rate of right answers = confidence − excess, not below 0; in (0, 1).
        cases: Cases of this kind; by default as many as there are confidences.
        level: Level of the test, in (0, 1).
        bins: As for `bins_of`.
        binning: As for `bins_of`.
        seed: Seed of the draws.

    Returns:
        A share in [0, 1]; the number right in a bin is drawn from a normal distribution, which is rough below some
        five right and five wrong answers a bin.

    Raises:
        ValueError: If a share is not inside (0, 1), or there is no case.
    """
    plan = _plan(confidences, excess, level, bins=bins, binning=binning)
    count = len(confidences) if cases is None else cases
    if count < 1:
        msg = f"cases={cases!r}; expected at least 1"
        raise ValueError(msg)
    return _power(plan, count, level, seed)


def required_calibration_cases(
    confidences: Sequence[float],
    excess: float,
    *,
    power: float = 0.80,
    level: float = 0.05,
    bins: int = BINS,
    binning: Binning = "mass",
    seed: int = 0,
) -> int | None:
    """Cases of this kind with which `calibration_power` reaches ``power``; None when ten million do not.

    Raises:
        ValueError: As for `calibration_power`, or if the power is not inside (0, 1).
    """
    if not 0 < power < 1:
        msg = f"power={power!r}; expected a number between 0 and 1, for example 0.80"
        raise ValueError(msg)
    plan = _plan(confidences, excess, level, bins=bins, binning=binning)
    return smallest_sufficient(lambda cases: _power(plan, cases, level, seed) >= power)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Share, excess and variances of a case in each bin ``[bins]``."""

    shares: Floats
    gaps: Floats
    calibrated: Floats
    """Variance of an outcome if the confidences were right."""
    excessive: Floats
    """The same if they are too high."""


def _plan(confidences: Sequence[float], excess: float, level: float, *, bins: int, binning: Binning) -> _Plan:
    if not (0 < excess < 1 and 0 < level < 1):
        msg = f"excess={excess!r}, level={level!r}; expected numbers between 0 and 1, for example 0.05"
        raise ValueError(msg)
    sure, _ = checked(confidences, [0] * len(confidences))
    places = places_of(sure, bins=bins, binning=binning)
    true = np.maximum(sure - excess, 0.0)
    counts = np.bincount(places)
    held = counts > 0

    def means(column: Floats) -> Floats:
        return np.asarray(np.bincount(places, column)[held] / counts[held])

    return _Plan(counts[held] / sure.size, means(sure - true), means(sure * (1 - sure)), means(true * (1 - true)))


def _power(plan: _Plan, cases: int, level: float, seed: int) -> float:
    # The same draws for every number of cases, so that more cases are never worse by chance.
    luck = np.random.default_rng(seed).standard_normal((_DRAWS, plan.shares.size))
    held = plan.shares * cases
    chance = np.abs(luck * np.sqrt(plan.calibrated / held)) @ plan.shares
    errors = np.abs(plan.gaps + luck * np.sqrt(plan.excessive / held)) @ plan.shares
    return float(np.mean(errors > np.quantile(chance, 1 - level)))
