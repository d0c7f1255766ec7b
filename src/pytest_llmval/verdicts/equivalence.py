"""Equivalence: whether two versions are shown to score alike, neither worse nor better by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.verdicts.comparison import compare
from pytest_llmval.verdicts.estimate import mirrored
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
class Equivalence:
    """Both ends of the interval lie within the margin: two one-sided tests."""

    margin: Margin
    levels: Levels = field(default_factory=Levels)
    kind: str = "equivalent"

    @property
    def either(self) -> Levels:
        """The levels of a difference to one side: half of the gate's, since to the other side it fails as well."""
        return Levels(self.levels.alpha / 2, self.levels.adjusted / 2)

    def outcome(self, change: Change) -> Outcome:
        """Equivalent (or improved, or worse, within the margin), regressed (shown to differ) or inconclusive."""
        confidence = self.levels.confidence
        interval = change.difference.interval(confidence)
        if is_above(change.room, confidence) and is_above(change.headroom, confidence):
            if interval.high < 0:
                return Outcome.WORSE_WITHIN_MARGIN
            return Outcome.IMPROVED if interval.low > 0 else Outcome.EQUIVALENT
        return Outcome.REGRESSED if self._side(change, self.either.adjusted_confidence) else Outcome.INCONCLUSIVE

    def reason(self, outcome: Outcome, change: Change, scale: Scale, needed: int | None) -> str:
        """What a reader should know beyond the headline."""
        margin = self.margin.text(scale, change.baseline)
        if outcome is Outcome.REGRESSED:
            side = self._side(change, self.either.adjusted_confidence)
            return f"shown {side}, and not shown to stay within the margin of {margin} to both sides"
        if outcome in (Outcome.WORSE_WITHIN_MARGIN, Outcome.IMPROVED):
            side = "worse" if outcome is Outcome.WORSE_WITHIN_MARGIN else "better"
            return f"shown {side}, but within the margin of {margin}"
        return self._doubt(change, scale, needed) if outcome is Outcome.INCONCLUSIVE else ""

    def needed(self, change: Change, present: int) -> int | None:
        """Cases that would show a difference beyond the margin when there is one, else that there is none."""
        is_outside = change.room.value <= 0 or change.headroom.value <= 0
        if is_outside or self._side(change, self.either.confidence):
            return enough(present, lambda cases: bool(self._side(change, self.either.adjusted_confidence, cases)))
        confidence = self.levels.confidence
        return enough(
            present,
            lambda cases: is_above(change.room, confidence, cases),
            lambda cases: is_above(change.headroom, confidence, cases),
        )

    def _side(self, change: Change, confidence: float, cases: float | None = None) -> str:
        """To which side a difference is shown, empty when to none; failed cases count to either."""
        if is_below(change.difference, confidence, cases):
            return "worse"
        return "better" if is_below(mirrored(change.difference), confidence, cases) else ""

    def _highest(self, change: Change) -> float:
        """The upper end, with failed cases at their best."""
        return -mirrored(change.difference).interval(self.levels.confidence).low

    def _doubt(self, change: Change, scale: Scale, needed: int | None) -> str:
        if is_below(change.difference, self.either.confidence):
            return loss_reason(change, self.either, scale, needed)
        low, high = change.difference.interval(self.levels.confidence).low, self._highest(change)
        ends = f"{scale.change(low)} to {scale.change_with_unit(high)}"
        return (
            f"not shown alike: the interval reaches from {ends}, not within the margin of "
            f"{self.margin.text(scale, change.baseline)} to both sides; "
            f"{would_decide(needed, change.more)} if the difference stays the same"
        )


def decide_equivalence(
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
) -> Verdict:
    """The verdict on "the candidate scores as the baseline does, within ``margin`` to both sides".

    The arguments are those of `decide_regression`. A case the candidate failed is a difference, to whichever side
    harms the gate: had it been answered, the candidate might have scored better there as well as worse.

    Returns:
        A verdict of kind `equivalent`; regressed means shown to differ, to either side, each at half of the level.

    Raises:
        ValueError: If the margin is negative or a level impossible.

    Source:
        D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657: two one-sided tests.
    """
    rule = Equivalence(margin_of(margin, relative_margin), Levels(alpha, alpha_adjusted))
    parameters = {
        "margin": margin,
        "relative_margin": relative_margin,
        "alpha": alpha,
        "alpha_adjusted": alpha_adjusted,
    }
    return compare(Question(candidate, baseline, rule, parameters, tuple(sorted(vary)), estimand, slices))
