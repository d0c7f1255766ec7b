"""Repeated trials of each case: their mean, their spread and their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEWEST_FOR_SPREAD = 2


@dataclass(frozen=True, slots=True)
class Trials:
    """What the trials of one version say about each case."""

    means: Floats
    """``[cases]``."""
    variances: Floats
    """Between the trials of a case, with divisor trials − 1, ``[cases]``."""
    counts: NDArray[np.intp]
    """Trials, at least 2, ``[cases]``."""

    @property
    def error_variances(self) -> Floats:
        """Of the mean of each case around what endless trials would give, ``[cases]``."""
        return self.variances / self.counts


def trials_of_both(
    candidate_trials: Sequence[Sequence[float]], baseline_trials: Sequence[Sequence[float]]
) -> tuple[Trials, Trials]:
    """The trials of the candidate and of the baseline.

    Args:
        candidate_trials: Values of each case, one a trial; their number may differ from case to case.
        baseline_trials: The same for the same cases.

    Raises:
        ValueError: If the numbers of cases differ or are 0, a case has a single trial, or a value is not finite.
    """
    if len(candidate_trials) != len(baseline_trials) or not len(candidate_trials):
        msg = (
            f"{len(candidate_trials)} cases of the candidate, {len(baseline_trials)} of the baseline; "
            "expected the same cases, at least 1"
        )
        raise ValueError(msg)
    return _trials(candidate_trials, "candidate"), _trials(baseline_trials, "baseline")


def _trials(trials: Sequence[Sequence[float]], side: str) -> Trials:
    counts = np.array([len(values) for values in trials], dtype=np.intp)
    if counts.min() < _FEWEST_FOR_SPREAD:
        case = int(counts.argmin())
        msg = f"case {case} of the {side} has {counts[case]} trial; the spread between trials needs at least 2"
        raise ValueError(msg)
    values = np.concatenate([np.asarray(each, dtype=float) for each in trials])
    if not np.isfinite(values).all():
        msg = f"a trial of the {side} has the value {float(values[~np.isfinite(values)][0])!r}; expected finite numbers"
        raise ValueError(msg)
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(values, starts) / counts
    squares = (values - np.repeat(means, counts)) ** 2
    return Trials(means, np.add.reduceat(squares, starts) / (counts - 1), counts)
