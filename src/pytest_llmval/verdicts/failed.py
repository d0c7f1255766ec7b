"""Failed: what a case without an answer might have been worth, had there been one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.scoring.score import Scores

Trials = tuple[float, ...]
"""The values of a case, one a trial; a single one where trials are averaged."""
Imagined = Callable[[Trials], Trials]
"""What a failed case is taken to have scored, from what was to be expected of it."""

_SHARES = tuple(2.0**-halvings for halvings in range(7))  # of the way to a bound: 1, 1/2 ... 1/64


def best_of(scores: Scores) -> float | None:
    """The best possible value, None when the metric has no bounds."""
    if scores.bounds is None:
        return None
    return scores.bounds[1] if scores.higher_is_better else scores.bounds[0]


def imaginable(scores: Scores, trials: int) -> list[Imagined]:
    """What a failed case might have scored other than the worst bound in every trial.

    The worst bound is what a failure costs. Yet an interval may lie more favourably with it than with the answer that
    is lacking: a gain is lost with it, or a value far from all others, or the noise of a case's trials. A gate is held
    to the least favourable of all of these, so that no failure helps.
    """
    worst, best = scores.worst, best_of(scores)
    if worst is None or best is None:
        return []
    if trials > 1:
        mixed = [(best,) * count + (worst,) * (trials - count) for count in range(1, trials + 1)]
        return [_as_expected, *(partial(_given, values) for values in mixed)]
    if scores.kind == "binary" and scores.trials == 1:
        return [partial(_given, (best,))]
    less = [partial(_towards, worst, share) for share in _SHARES[1:]]
    return [_as_expected, *less, *(partial(_towards, best, share) for share in _SHARES)]


def _as_expected(expected: Trials) -> Trials:
    return expected


def _given(values: Trials, _: Trials) -> Trials:
    return values


def _towards(bound: float, share: float, expected: Trials) -> Trials:
    return tuple(value + share * (bound - value) for value in expected)
