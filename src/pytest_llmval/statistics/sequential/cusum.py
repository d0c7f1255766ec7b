"""Whether a stream has left its target: cumulative sums, and how long they run before a false alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SERIES_BELOW = 1e-4  # where eˣ − 1 − x loses its digits
_OVERFLOW_FROM = 700.0


@dataclass(frozen=True, slots=True)
class Cusum:
    """The cumulative sums of a stream."""

    high: tuple[float, ...]
    """By how much the values so far lie above the target, slack taken off, never below 0; one a value."""
    low: tuple[float, ...]
    """The same below the target, as a number of 0 or more."""
    alarm: int | None
    """Place of the first value at which a sum exceeds the limit, from 0; None when none does."""


def cusum(values: Sequence[float], *, target: float, slack: float, limit: float) -> Cusum:
    """The tabular cumulative sums of a stream around a target.

    Args:
        values: In order of time.
        target: Mean in control.
        slack: Deviation that does not count, 0 or more: half of the shift to be found.
        limit: Sum from which on the stream is out of control, above 0: about 5 standard deviations.

    Raises:
        ValueError: If the slack is negative or the limit not above 0.

    Source:
        E. S. Page, Biometrika 41 (1954) 100.

    >>> cusum([0.0, 2.0, 2.0], target=0.0, slack=0.5, limit=2.5).alarm
    2
    """
    _check_chart(slack, limit)
    high, low = (_sums([sign * (value - target) - slack for value in values]) for sign in (1, -1))
    alarm = next((place for place, sums in enumerate(zip(high, low, strict=True)) if max(sums) > limit), None)
    return Cusum(high, low, alarm)


def _sums(excesses: Sequence[float]) -> tuple[float, ...]:
    sums, current = [], 0.0
    for excess in excesses:
        current = max(0.0, current + excess)
        sums.append(current)
    return tuple(sums)


def cusum_run_length(limit: float, *, slack: float = 0.5, shift: float = 0.0, two_sided: bool = False) -> float:
    """Average number of normal values until a cumulative sum exceeds the limit, all in standard deviations.

    Without a shift it is the time between false alarms, with one the time until it is found.

    Args:
        limit: As for `cusum`, in standard deviations.
        slack: As for `cusum`, in standard deviations.
        shift: How far the mean has moved upwards.
        two_sided: Whether the sum below the target is watched too.

    Raises:
        ValueError: If the slack is negative or the limit not above 0.

    Source:
        D. Siegmund, Sequential Analysis (1985), section 2.6: the sum overshoots by about 0.583 at either end.

    >>> round(cusum_run_length(5.0))
    938
    """
    _check_chart(slack, limit)
    above = _one_sided(limit + 2 * 0.583, shift - slack)
    if not two_sided:
        return above
    below = _one_sided(limit + 2 * 0.583, -shift - slack)
    return 1 / (1 / above + 1 / below)


def _one_sided(barrier: float, drift: float) -> float:
    """(e⁻²ᵈᵇ + 2db − 1) / 2d², which is b² without drift."""
    exponent = -2 * drift * barrier
    if exponent > _OVERFLOW_FROM:
        return math.inf
    if abs(exponent) < _SERIES_BELOW:
        return barrier**2 * (1 + exponent / 3)
    return (math.expm1(exponent) - exponent) / (2 * drift**2)


def _check_chart(slack: float, limit: float) -> None:
    if not (slack >= 0 and limit > 0):
        msg = f"slack={slack!r}, limit={limit!r}; expected a slack of 0 or more, and a limit above 0"
        raise ValueError(msg)
