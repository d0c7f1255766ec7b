"""The suite itself as the question: the mean over exactly these cases, uncertain only by the chance within trials.

The other intervals ask about prompts like these and take the cases for a sample. Here nothing is claimed about any
other prompt: what remains uncertain is what more trials of the same cases would show.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llmval.statistics.differences.trials import trials_of_both
from pytest_llmval.statistics.mean import MeanWithError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.statistics.differences.trials import Trials
    from pytest_llmval.statistics.intervals import Interval


def suite_interval(
    candidate_trials: Sequence[Sequence[float]], baseline_trials: Sequence[Sequence[float]], confidence: float = 0.90
) -> Interval:
    """Interval for the mean difference over exactly these cases; the arguments are those of `suite_mean`.

    When all trials of every case agree it is a point, and when they disagree in a handful of cases it is too narrow:
    of five cases that pass nearly always, asked twice, it holds the mean 61 % of the time where it says 90 %, of forty
    94 %. That is arithmetic, not certainty: verdicts widen it by `rare_change_interval`.

    >>> interval = suite_interval([[1, 0, 1, 1], [1, 1, 1, 1]], [[1, 1, 1, 1], [0, 0, 1, 0]])
    >>> round(interval.low, 2), round(interval.high, 2)
    (-0.09, 0.59)
    """
    return suite_mean(candidate_trials, baseline_trials).interval(confidence)


def suite_mean(
    candidate_trials: Sequence[Sequence[float]], baseline_trials: Sequence[Sequence[float]]
) -> MeanWithError:
    """Mean over the cases of candidate − baseline, with SE² = Σ (s²/K + s²/K) / n².

    Args:
        candidate_trials: Values of each case, one a trial, at least 2; their number may differ from case to case.
        baseline_trials: The same for the same cases.

    Returns:
        The degrees of freedom are Satterthwaite's, of the cases whose trials disagree, since only they add to the
        error: rather too few, so that the interval is rather too wide. They are those of all trials when all agree.

    Raises:
        ValueError: If a case has a single trial, or the columns differ in length.

    Source:
        F. E. Satterthwaite, Biometrics Bull. 2 (1946) 110, for a sum of variances.
    """
    candidate, baseline = trials_of_both(candidate_trials, baseline_trials)
    cases = candidate.means.size
    variance = float(candidate.error_variances.sum() + baseline.error_variances.sum())
    value = float((candidate.means - baseline.means).mean())
    return MeanWithError(value, math.sqrt(variance) / cases, _degrees(variance, candidate, baseline))


def _degrees(variance: float, *sides: Trials) -> float:
    """(Σ v)² / Σ (v² / (K − 1)) over the cases of both sides, v = s²/K."""
    if not variance:
        return float(sum((each.counts - 1).sum() for each in sides))
    return variance**2 / float(sum((each.error_variances**2 / (each.counts - 1)).sum() for each in sides))
