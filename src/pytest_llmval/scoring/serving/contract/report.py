"""What a check of the server contract found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 6


@dataclass(frozen=True, slots=True)
class Breach:
    """One answer that is not what it has to be."""

    asked: str
    came: str
    expected: str

    def __str__(self) -> str:
        return f"asked {self.asked}\n      came back: {self.came}\n      expected: {self.expected}"


@dataclass(frozen=True, slots=True)
class Note:
    """One answer that differs and may, with the reason."""

    text: str


Outcome = Breach | Note | None
"""Of one comparison; None where all is well."""


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What a check found; as text, the message of a failed assertion."""

    check: str
    """What was looked at, as words: `stop strings`."""
    compared: int
    """Answers that were looked at."""
    breaches: tuple[Breach, ...] = ()
    notes: tuple[str, ...] = ()
    """What differs and may, and what could not be looked at."""

    @property
    def passed(self) -> bool:
        """Whether no answer is wrong."""
        return not self.breaches

    def __str__(self) -> str:
        if self.passed:
            head = f"server, {self.check}: {self.compared} of {self.compared} as expected"
        else:
            head = f"server, {self.check}: {len(self.breaches)} of {self.compared} not as expected"
        more = len(self.breaches) - _MOST
        lines = [*map(str, self.breaches[:_MOST]), *([f"and {more} more"] if more > 0 else [])]
        return "\n".join([head, *(f"  {line}" for line in lines), *(f"  note: {note}" for note in self.notes)])


def report_of(check: str, outcomes: Iterable[Outcome]) -> ServerReport:
    """The report of comparisons."""
    found = list(outcomes)
    breaches = tuple(each for each in found if isinstance(each, Breach))
    notes = dict.fromkeys(each.text for each in found if isinstance(each, Note))
    compared = sum(not isinstance(each, Note) for each in found)
    return ServerReport(check, compared, breaches, tuple(notes))
