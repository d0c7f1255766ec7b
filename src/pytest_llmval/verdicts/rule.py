"""The rule: from intervals to an outcome, and how many cases would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.verdicts.verdict import Outcome
from pytest_llmval.verdicts.wording import confidence_text, counted

if TYPE_CHECKING:
    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.wording import Scale


@dataclass(frozen=True, slots=True)
class Rule:
    """What a gate asks for."""

    margin: float
    """Largest loss that is tolerated, in the metric's unit."""
    alpha: float = 0.05
    """One-sided level of showing that the loss stays within the margin."""
    alpha_adjusted: float = 0.05
    """One-sided level of calling the candidate regressed."""

    def __post_init__(self) -> None:
        """Refuse what no gate can mean."""
        if not 0 <= self.margin < float("inf"):
            msg = f"margin={self.margin!r}; expected 0 or more, in the unit of the metric"
            raise ValueError(msg)
        check_level(self.alpha)
        if not 0 < self.alpha_adjusted <= self.alpha:
            msg = f"alpha_adjusted={self.alpha_adjusted!r}; expected more than 0 and at most alpha={self.alpha!r}"
            raise ValueError(msg)

    def outcome(self, estimate: Estimate) -> Outcome:
        """The outcome of DESIGN section 6; regressed also needs the corrected level."""
        interval = estimate.interval(1 - 2 * self.alpha)
        if interval.low > 0:
            return Outcome.IMPROVED
        if interval.low > -self.margin:
            return Outcome.WORSE_WITHIN_MARGIN if interval.high < 0 else Outcome.EQUIVALENT
        return Outcome.REGRESSED if self._is_loss(estimate) else Outcome.INCONCLUSIVE

    def reason(self, outcome: Outcome, estimate: Estimate, scale: Scale, needed: int | None) -> str:
        """What a reader should know beyond the headline; empty when the headline says it all."""
        margin = scale.size_with_unit(self.margin)
        if outcome is Outcome.REGRESSED:
            return f"shown worse, and not shown to stay within the margin of {margin}"
        if outcome is Outcome.WORSE_WITHIN_MARGIN:
            return f"shown worse, but within the margin of {margin}"
        if outcome is Outcome.INCONCLUSIVE:
            return self._doubt(estimate, scale, needed)
        return ""

    def needed_cases(self, estimate: Estimate, present: int) -> int | None:
        """How many cases of the same kind, more than are present, would settle it; None when no number would."""
        if self._is_loss_alone(estimate) or estimate.value <= -self.margin:
            return smallest_sufficient(lambda cases: self._is_loss(estimate, cases), present + 1)
        return smallest_sufficient(lambda cases: self._is_tolerable(estimate, cases), present + 1)

    def _is_tolerable(self, estimate: Estimate, cases: int) -> bool:
        return estimate.interval(1 - 2 * self.alpha, cases).low > -self.margin

    def _is_loss(self, estimate: Estimate, cases: int | None = None) -> bool:
        return estimate.interval(1 - 2 * self.alpha_adjusted, cases).high < 0

    def _is_loss_alone(self, estimate: Estimate) -> bool:
        return estimate.interval(1 - 2 * self.alpha).high < 0

    def _doubt(self, estimate: Estimate, scale: Scale, needed: int | None) -> str:
        interval, margin = estimate.interval(1 - 2 * self.alpha), scale.size_with_unit(self.margin)
        would = f"about {counted(needed, 'case')} would" if needed else "more cases would not"
        if interval.high < 0:
            corrected = estimate.interval(1 - 2 * self.alpha_adjusted)
            return (
                f"would be regressed alone ({confidence_text(self.alpha)} CI {scale.range_of_change(interval)}); "
                f"not at the level corrected for the number of gates "
                f"({confidence_text(self.alpha_adjusted)} CI {scale.range_of_change(corrected)}); "
                f"{would} show it if the difference stays the same"
            )
        if estimate.value <= -self.margin:
            return (
                f"not shown: the difference itself, {scale.change_with_unit(estimate.value)}, is not within the "
                f"margin of {margin}; {would} show a regression if it stays the same"
            )
        return (
            f"not shown: the interval reaches {scale.change_with_unit(interval.low)}, not within the margin of "
            f"{margin}; {would} decide it if the difference stays the same"
        )


def check_level(alpha: float) -> None:
    """Refuse a one-sided level outside (0, 0.5)."""
    if not 0 < alpha < 0.5:  # noqa: PLR2004 - at one half the interval is a point
        msg = f"alpha={alpha!r}; expected a one-sided level between 0 and 0.5, for example 0.05"
        raise ValueError(msg)
