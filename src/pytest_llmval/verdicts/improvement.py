"""Improvement: whether the candidate is shown to be better than the baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.verdicts.comparison import compare
from pytest_llmval.verdicts.margin import Margin, is_number
from pytest_llmval.verdicts.question import Question
from pytest_llmval.verdicts.rule import Levels, enough, is_above, is_below, loss_reason, would_decide
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.estimand import Estimand
    from pytest_llmval.verdicts.question import Labels
    from pytest_llmval.verdicts.rule import Change
    from pytest_llmval.verdicts.verdict import Verdict
    from pytest_llmval.verdicts.wording import Scale


@dataclass(frozen=True, slots=True)
class Superiority:
    """The gain is shown to exceed a minimum; a gain shown to be smaller fails."""

    minimum: float
    """In the metric's unit."""
    levels: Levels = field(default_factory=Levels)
    kind: str = "improved"

    @property
    def margin(self) -> Margin:
        """Less than none: `change.room` is difference − minimum."""
        return Margin(-self.minimum)

    def outcome(self, change: Change) -> Outcome:
        """Improved, regressed (shown not to improve that much) or inconclusive."""
        if is_above(change.room, self.levels.confidence):
            return Outcome.IMPROVED
        return Outcome.REGRESSED if is_below(change.room, self.levels.adjusted_confidence) else Outcome.INCONCLUSIVE

    def reason(self, outcome: Outcome, change: Change, scale: Scale, needed: int | None) -> str:
        """What a reader should know beyond the headline."""
        if outcome is Outcome.REGRESSED:
            return f"shown to improve by less than {self._goal(scale)}" if self.minimum else "shown worse"
        if outcome is Outcome.IMPROVED:
            return ""
        if not self.minimum and is_below(change.difference, self.levels.confidence):
            return loss_reason(change, self.levels, scale, needed)
        interval = change.difference.interval(self.levels.confidence)
        reached = f"the interval reaches {scale.change_with_unit(interval.low)}"
        goal, would = self._goal(scale), would_decide(needed, change.more)
        return f"not shown better by more than {goal}: {reached}; {would} if the difference stays the same"

    def needed(self, change: Change, present: int) -> int | None:
        """Cases that would show a gain larger or smaller than the minimum; none when it is exactly as large."""
        if change.room.value == 0:
            return None
        if change.room.value > 0:
            return enough(present, lambda cases: is_above(change.room, self.levels.confidence, cases))
        return enough(present, lambda cases: is_below(change.room, self.levels.adjusted_confidence, cases))

    def _goal(self, scale: Scale) -> str:
        return scale.size_with_unit(self.minimum)


def decide_improvement(
    candidate: Scores,
    baseline: Scores,
    *,
    minimum: float = 0.0,
    alpha: float = 0.05,
    alpha_adjusted: float = 0.05,
    vary: Collection[str] = (),
    estimand: Estimand = "population",
    slices: Labels | None = None,
) -> Verdict:
    """The verdict on "the candidate is better than the baseline by more than ``minimum``".

    The arguments are those of `decide_regression`; ``minimum`` is the gain to be exceeded, in the metric's unit.

    Returns:
        A verdict of kind `improved`: improved, regressed (shown not to be better by that much), inconclusive, invalid.

    Raises:
        ValueError: If the minimum is negative or a level impossible.
    """
    if not is_number(minimum) or not 0 <= minimum < math.inf:
        msg = f"minimum={minimum!r}; expected the gain to be exceeded, 0 or more, in the unit of the metric"
        raise ValueError(msg)
    rule = Superiority(minimum, Levels(alpha, alpha_adjusted))
    parameters = {"minimum": minimum, "alpha": alpha, "alpha_adjusted": alpha_adjusted}
    return compare(Question(candidate, baseline, rule, parameters, tuple(sorted(vary)), estimand, slices))
