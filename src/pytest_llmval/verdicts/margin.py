"""Margin: the largest loss that is tolerated, in the metric's unit or as a share of the baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.wording import Scale


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse is still acceptable; below 0 the gain that is asked for."""

    size: float
    """In the metric's unit; a share of the baseline's value when relative."""
    is_relative: bool = False

    def check_range(self, scores: Scores) -> None:
        """Refuse a margin as wide as the metric: whatever happened would lie within it.

        Raises:
            ValueError: If it is.
        """
        if self.is_relative or scores.bounds is None:
            return
        low, high = scores.bounds
        if abs(self.size) >= high - low:
            what = "margin" if self.size > 0 else "minimum"
            size = abs(self.size)
            hint = f"; {size:g} percentage points are {size / 100:g}" if (low, high) == (0, 1) else ""
            msg = f"{scores.name}: {what}={size:g}; expected less than its range [{low:g}, {high:g}]{hint}"
            raise ValueError(msg)

    def allowance(self, baseline: float) -> float:
        """The loss that is tolerated where the baseline has this value."""
        return self.size * abs(baseline) if self.is_relative else self.size

    def text(self, scale: Scale, baseline: float) -> str:
        """The margin in words: `5 pp`, or `2% of the baseline, 1.44 pp`; ``baseline`` is 0 where it may be."""
        if not self.is_relative:
            return scale.size_with_unit(self.size)
        share, allowance = f"{100 * self.size:.6g}% of the baseline", float(f"{self.allowance(baseline):.3g}")
        return f"{share}, {scale.size_with_unit(allowance)}" if baseline else f"{share}, not shown to differ from 0"


def margin_of(margin: float, relative_margin: float | None) -> Margin:
    """The margin that a gate was given.

    Raises:
        ValueError: If it is negative, or no share when it is relative.
    """
    if relative_margin is None:
        if not is_number(margin) or not 0 <= margin < math.inf:
            msg = f"margin={margin!r}; expected 0 or more, in the unit of the metric"
            raise ValueError(msg)
        return Margin(margin)
    if not is_number(relative_margin) or not 0 < relative_margin < 1:
        msg = f"relative_margin={relative_margin!r}; expected a share of the baseline between 0 and 1, such as 0.02"
        raise ValueError(msg)
    return Margin(relative_margin, is_relative=True)


def is_number(value: object) -> bool:
    """Whether it is one; callers may not check types, and a text such as "5%" is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
