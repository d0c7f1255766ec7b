"""Kept: a golden answer with its environment and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.scoring.golden.answer import Answer

Facts = Mapping[str, str]
"""Each fact of an environment by its name."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote a golden, and when."""

    version: str = ""
    """Name of the model version; empty when none was named."""
    fingerprint: str = ""
    """Digest of that version."""
    plugin: str = ""
    """Version of pytest-llmval."""
    written_at: str = ""
    """ISO 8601 in UTC."""

    @property
    def author(self) -> str:
        """The version and its fingerprint, or that none was named."""
        if not self.version:
            return "no model version named"
        return f"{self.version} (fingerprint {self.fingerprint[:12]})"


@dataclass(frozen=True, slots=True)
class Kept:
    """One golden answer. One name in a file has several: one a case, and one an environment where that is asked."""

    answer: Answer
    case: str | None = None
    """Id of the case in a golden of several responses; None in one of a single answer."""
    environment: Facts = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)

    @property
    def order(self) -> tuple[str, list[tuple[str, str]]]:
        """Where it stands among those of its name."""
        return self.case or "", sorted(self.environment.items())


def of_case(goldens: Iterable[Kept], case: str | None) -> list[Kept]:
    """The goldens of a case, the newest first."""
    found = [each for each in goldens if each.case == case]
    return sorted(found, key=lambda each: each.origin.written_at, reverse=True)


def nearest(goldens: Iterable[Kept], facts: Facts) -> Kept | None:
    """The golden whose environment differs in the fewest facts, of those the first; None when there is none."""
    return min(goldens, key=lambda each: len(set(each.environment.items()) ^ set(facts.items())), default=None)
