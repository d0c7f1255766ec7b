"""The rule: from intervals to an outcome, and how many cases would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.verdicts.wording import confidence_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.margin import Margin
    from pytest_llmval.verdicts.verdict import Outcome
    from pytest_llmval.verdicts.wording import Scale


@dataclass(frozen=True, slots=True)
class Levels:
    """One-sided levels of a gate."""

    alpha: float = 0.05
    """Of showing that the gate holds."""
    adjusted: float = 0.05
    """Of calling the candidate regressed, corrected for the number of gates."""

    def __post_init__(self) -> None:
        """Refuse levels that no gate can have."""
        check_level(self.alpha)
        if not 0 < self.adjusted <= self.alpha:
            msg = f"alpha_adjusted={self.adjusted!r}; expected more than 0 and at most alpha={self.alpha!r}"
            raise ValueError(msg)

    @property
    def confidence(self) -> float:
        """Two-sided confidence of the interval that is shown."""
        return 1 - 2 * self.alpha

    @property
    def adjusted_confidence(self) -> float:
        """Two-sided confidence of the interval that calls a regression."""
        return 1 - 2 * self.adjusted


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule looks at: three readings of the same pairs, each better when larger."""

    difference: Estimate
    """Candidate − baseline."""
    room: Estimate
    """Difference + margin: above 0 while the loss stays within the margin."""
    headroom: Estimate
    """Margin − difference: above 0 while the gain stays within the margin."""
    baseline: float
    """The baseline's mean; 0 where a share of it is asked for and it is not shown to differ from 0."""
    more: tuple[str, str] = ("case", "cases")
    """What there could be more of, singular and plural."""


class Rule(Protocol):
    """What a gate asks for."""

    @property
    def kind(self) -> str:
        """Name of the gate's kind."""

    @property
    def levels(self) -> Levels:
        """Its levels."""

    @property
    def margin(self) -> Margin:
        """The largest loss it tolerates; below 0 the gain it asks for."""

    def outcome(self, change: Change) -> Outcome:
        """What the pairs show."""

    def reason(self, outcome: Outcome, change: Change, scale: Scale, needed: int | None) -> str:
        """What a reader should know beyond the headline; empty when the headline says it all."""

    def needed(self, change: Change, present: int) -> int | None:
        """How many cases of the same kind, more than are present, would settle it; None when no number would."""


def would_decide(needed: int | None, more: tuple[str, str], what: str = "decide it") -> str:
    """The sentence about how much more would settle a gate; ``more`` says of what, singular and plural."""
    one, many = more
    if needed is None:
        return f"more {many} would not {what}"
    return f"about {needed} {one if needed == 1 else many} would {what}"


def is_above(estimate: Estimate, confidence: float, cases: float | None = None) -> bool:
    """Whether the number is shown to be above 0."""
    return estimate.interval(confidence, cases).low > 0


def is_below(estimate: Estimate, confidence: float, cases: float | None = None) -> bool:
    """Whether the number is shown to be below 0."""
    return estimate.interval(confidence, cases).high < 0


def enough(present: int, *shown: Callable[[int], bool]) -> int | None:
    """The smallest number above ``present`` that shows all of these."""
    return smallest_sufficient(lambda cases: all(each(cases) for each in shown), present + 1)


def loss_reason(change: Change, levels: Levels, scale: Scale, needed: int | None) -> str:
    """The sentence for a loss that is seen at the gate's own level, but not at the corrected one."""
    corrected = change.difference.interval(levels.adjusted_confidence)
    shown = change.difference.interval(levels.confidence)
    return (
        f"would be regressed alone ({confidence_text(levels.alpha)} CI {scale.range_of_change(shown)}); "
        f"not at the level corrected for the number of gates "
        f"({confidence_text(levels.adjusted)} CI {scale.range_of_change(corrected)}); "
        f"{would_decide(needed, change.more, 'show it')} if the difference stays the same"
    )


def check_level(alpha: float) -> None:
    """Refuse a one-sided level outside (0, 0.5)."""
    if not 0 < alpha < 0.5:  # noqa: PLR2004 - at one half the interval is a point
        msg = f"alpha={alpha!r}; expected a one-sided level between 0 and 0.5, for example 0.05"
        raise ValueError(msg)
