"""Support: what a context says of one claim, and the protocol of those who decide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Label = Literal["supported", "contradicted", "not stated", "undecided"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, with what it is held to."""

    text: str
    passages: tuple[str, ...]
    """The context of its case."""


@dataclass(frozen=True, slots=True)
class Support:
    """What was found for one claim."""

    claim: str
    label: Label
    """`undecided` where a judge gave none of the labels."""
    evidence: str = ""
    """The sentence of the context that comes nearest; of a judge what it said, or why it said nothing."""
    score: float | None = None
    """How near that sentence comes, in the units of the rule; None for a judge."""

    def __str__(self) -> str:
        """The claim with its label, short enough for a report."""
        return f"{self.claim!r:.160} ({self.label})"


class SupportRule(Protocol):
    """Decides whether claims are supported: `by_overlap()`, `by_embedding(encoder)` or `by_judge(llm)`."""

    @property
    def name(self) -> str:
        """As it was called, with what decides: `by_overlap(at_least=0.6)`."""

    @property
    def version(self) -> str:
        """Another one when it decides differently."""

    @property
    def judge(self) -> str:
        """The model that judges and its prompt; empty without one."""

    def decide(self, claims: Sequence[Claim]) -> list[Support]:
        """What is found for each claim, in order."""
