"""Where the spread of differences comes from: the cases, or the trials of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.statistics.differences.trials import trials_of_both

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST_FOR_SPREAD = 2


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Parts of the variance of a case's difference, candidate − baseline."""

    between: float
    """Variance between cases of what endless trials would show, ω²; 0 or more."""
    within_candidate: float
    """Variance between trials of one case, σ², averaged over cases."""
    within_baseline: float
    """The same for the baseline."""
    clipped: bool
    """Whether `between` came out negative and was set to 0: the trials alone explain more than all of the spread."""

    def of_difference(self, candidate_trials: int = 1, baseline_trials: int = 1) -> float:
        """Variance of the difference of a case with so many trials, for `required_n`: ω² + σ²/K + σ²/K.

        Raises:
            ValueError: If there is no trial.
        """
        if min(candidate_trials, baseline_trials) < 1:
            msg = f"trials={(candidate_trials, baseline_trials)!r}; expected at least 1 of each version"
            raise ValueError(msg)
        within = self.within_candidate / candidate_trials + self.within_baseline / baseline_trials
        return self.between + within


def variance_components(
    candidate_trials: Sequence[Sequence[float]], baseline_trials: Sequence[Sequence[float]]
) -> VarianceComponents:
    """How much of the spread of differences is due to the cases, and how much to chance within a case.

    Args:
        candidate_trials: Values of each case, one a trial, at least 2; their number may differ from case to case.
        baseline_trials: The same for the same cases.

    Raises:
        ValueError: If there are fewer than two cases, a case has a single trial, or the columns differ in length.

    Source:
        Expected mean squares, as in E. Miller, arXiv:2411.00640 (2024), section 3: Var(d̄ᵢ) = ω² + σ²/K + σ²/K, solved
        for ω²; with unequal K the mean of each case's s²/K takes the place of σ²/K.

    >>> variance_components([[1, 0], [1, 1], [0, 0]], [[0, 0], [0, 0], [1, 1]]).within_candidate
    0.16666666666666666
    """
    candidate, baseline = trials_of_both(candidate_trials, baseline_trials)
    differences = candidate.means - baseline.means
    if differences.size < _FEWEST_FOR_SPREAD:
        msg = f"{differences.size} case; the spread between cases needs at least 2"
        raise ValueError(msg)
    within = float((candidate.error_variances + baseline.error_variances).mean())
    between = float(differences.var(ddof=1)) - within
    spreads = float(candidate.variances.mean()), float(baseline.variances.mean())
    return VarianceComponents(max(0.0, between), *spreads, clipped=between < 0)
