"""Regression: whether the candidate is shown to be no worse than the baseline by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.verdicts.comparison import compare
from pytest_llmval.verdicts.margin import Margin, margin_of
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
class NonInferiority:
    """The rule of DESIGN section 6; regressed also needs the corrected level."""

    margin: Margin
    levels: Levels = field(default_factory=Levels)
    kind: str = "no_regression"

    def outcome(self, change: Change) -> Outcome:
        """Improved, equivalent, worse within the margin, regressed or inconclusive."""
        interval = change.difference.interval(self.levels.confidence)
        if interval.low > 0:
            return Outcome.IMPROVED
        if is_above(change.room, self.levels.confidence):
            return Outcome.WORSE_WITHIN_MARGIN if interval.high < 0 else Outcome.EQUIVALENT
        is_loss = is_below(change.difference, self.levels.adjusted_confidence)
        return Outcome.REGRESSED if is_loss else Outcome.INCONCLUSIVE

    def reason(self, outcome: Outcome, change: Change, scale: Scale, needed: int | None) -> str:
        """What a reader should know beyond the headline."""
        margin = self.margin.text(scale, change.baseline)
        if outcome is Outcome.REGRESSED:
            return f"shown worse, and not shown to stay within the margin of {margin}"
        if outcome is Outcome.WORSE_WITHIN_MARGIN:
            return f"shown worse, but within the margin of {margin}"
        return self._doubt(change, scale, needed) if outcome is Outcome.INCONCLUSIVE else ""

    def needed(self, change: Change, present: int) -> int | None:
        """Cases that would show the loss when there is one, else that it stays within the margin."""
        if is_below(change.difference, self.levels.confidence) or change.room.value <= 0:
            return enough(present, lambda cases: is_below(change.difference, self.levels.adjusted_confidence, cases))
        return enough(present, lambda cases: is_above(change.room, self.levels.confidence, cases))

    def _doubt(self, change: Change, scale: Scale, needed: int | None) -> str:
        interval, margin = change.difference.interval(self.levels.confidence), self.margin.text(scale, change.baseline)
        if interval.high < 0:
            return loss_reason(change, self.levels, scale, needed)
        if change.room.value <= 0:
            return (
                f"not shown: the difference itself, {scale.change_with_unit(change.difference.value)}, is not within "
                f"the margin of {margin}; {would_decide(needed, change.more, 'show a regression')} if it stays the same"
            )
        return (
            f"not shown: {self._reach(change, scale)}, not within the margin of {margin}; "
            f"{would_decide(needed, change.more)} if the difference stays the same"
        )

    def _reach(self, change: Change, scale: Scale) -> str:
        """How far the loss may go; beside a share of the baseline that is uncertain itself."""
        if not self.margin.is_relative:
            low = change.difference.interval(self.levels.confidence).low
            return f"the interval reaches {scale.change_with_unit(low)}"
        low = change.room.interval(self.levels.confidence).low - self.margin.allowance(change.baseline)
        return f"with the baseline's own uncertainty the interval reaches {scale.change_with_unit(low)}"


def decide_regression(
    candidate: Scores,
    baseline: Scores,
    *,
    margin: float = 0.05,
    relative_margin: float | None = None,
    alpha: float = 0.05,
    alpha_adjusted: float = 0.05,
    vary: Collection[str] = (),
    estimand: Estimand = "population",
    slices: Labels | None = None,
    weighted: bool = False,
) -> Verdict:
    """The verdict on "the candidate is not worse than the baseline by more than ``margin``".

    The difference is candidate − baseline by case, turned so that positive is better. A case the candidate failed or
    lacks enters with the metric's worst bound. Failures count against the candidate only: where leaving them out
    would look worse (they fell on cases the baseline got wrong as well), that reading is taken.

    Args:
        candidate: Scores of the version under test.
        baseline: Scores of the version it is compared with, on the same cases.
        margin: Largest loss that is tolerated, in the metric's unit: 0.05 is 5 percentage points of a share.
        relative_margin: The same as a share of the baseline's value, in (0, 1); it takes the place of ``margin``.
        alpha: One-sided level of showing non-inferiority, in (0, 0.5); the interval has confidence 1 − 2·alpha.
        alpha_adjusted: One-sided level of calling it regressed, corrected for the number of gates, at most alpha.
        vary: What may differ between the sides, by the names of `Basis`.
        estimand: `population`, cases like these, or `suite`, exactly these, where only trials vary.
        slices: Labels of each case; each label is told apart below the gate.
        weighted: Whether cases count by their weights, so that the means are Σ weight·value / Σ weight.

    Returns:
        A verdict of kind `no_regression`, invalid when the sides cannot be compared.

    Raises:
        ValueError: If the margin is negative, a level impossible, or weights are asked for and missing.
    """
    rule = NonInferiority(margin_of(margin, relative_margin), Levels(alpha, alpha_adjusted))
    parameters = {
        "margin": margin,
        "relative_margin": relative_margin,
        "alpha": alpha,
        "alpha_adjusted": alpha_adjusted,
        "weighted": weighted,
    }
    return compare(
        Question(candidate, baseline, rule, parameters, tuple(sorted(vary)), estimand, slices, weighted=weighted)
    )
