"""Calibration error: how far answers given with confidence c are from being right in a share c of cases.

All of these but the debiased one are above 0 for a perfectly calibrated model too, the more so the fewer cases there
are: 0.1 at 100 cases. They describe; `consistency_p` decides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.calibration.bins import BINS, bins_of, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmval.statistics.calibration.bins import Bin, Binning

_FEWEST_TO_DEBIAS = 2


def expected_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool | float], *, bins: int = BINS, binning: Binning = "width"
) -> float:
    """Σ cases/N · |accuracy − confidence| over bins, in [0, 1]; the arguments are those of `bins_of`.

    Source:
        M. P. Naeini et al., AAAI (2015); C. Guo et al., ICML (2017), with their 15 bins.

    >>> round(expected_calibration_error([0.8, 0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0, 0]), 6)
    0.2
    """
    return _averaged(bins_of(confidences, correct, bins=bins, binning=binning), lambda each: abs(each.gap))


def maximum_calibration_error(
    confidences: Sequence[float],
    correct: Sequence[bool | float],
    *,
    bins: int = BINS,
    binning: Binning = "width",
    fewest: int = 10,
) -> float:
    """Largest |accuracy − confidence| of a bin with at least ``fewest`` cases.

    Raises:
        ValueError: If no bin has so many: the largest error of single cases says nothing.
    """
    full = [each for each in bins_of(confidences, correct, bins=bins, binning=binning) if each.cases >= fewest]
    if not full:
        msg = f"no bin has {fewest} cases; expected more cases, fewer bins or a smaller fewest="
        raise ValueError(msg)
    return max(abs(each.gap) for each in full)


def root_mean_square_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool | float], *, bins: int = BINS, binning: Binning = "width"
) -> float:
    """√(Σ cases/N · (accuracy − confidence)²) over bins; large gaps count for more than in the expected error."""
    return math.sqrt(_averaged(bins_of(confidences, correct, bins=bins, binning=binning), lambda each: each.gap**2))


def debiased_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool | float], *, bins: int = BINS, binning: Binning = "mass"
) -> float:
    """Squared calibration error without what chance adds: about 0 for a calibrated model, so below 0 half the time.

    Σ cases/N · [(accuracy − confidence)² − accuracy·(1 − accuracy)/(cases − 1)]; a bin of one case, whose chance part
    cannot be known, is left out.

    Raises:
        ValueError: If no bin has two cases.

    Source:
        A. Kumar, P. Liang, T. Ma, NeurIPS (2019), section 5.
    """
    found = [each for each in bins_of(confidences, correct, bins=bins, binning=binning) if each.cases > 1]
    if not found:
        msg = f"no bin has {_FEWEST_TO_DEBIAS} cases; expected more cases or fewer bins"
        raise ValueError(msg)
    return _averaged(found, lambda each: each.gap**2 - each.accuracy * (1 - each.accuracy) / (each.cases - 1))


def overconfidence(confidences: Sequence[float], correct: Sequence[bool | float]) -> float:
    """Mean confidence − accuracy: above 0 for a model that is too sure, below for one that is not sure enough.

    The sum of signed gaps over any bins; gaps of opposite sign cancel.

    Raises:
        ValueError: As for `bins_of`.
    """
    sure, right = checked(confidences, correct)
    return float(np.mean(sure - right))


def _averaged(bins: Sequence[Bin], error: Callable[[Bin], float]) -> float:
    cases = sum(each.cases for each in bins)
    return math.fsum(each.cases * error(each) for each in bins) / cases
