"""The mixture of tasks a model is trained on, free of every test question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import documents
import echo
import extraction
import faq
import orders
import quiz
import refusals
from case_files import build_case_files
from domain import load_facts, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from example import Example

SHARES = {
    "faq": 0.23,
    "orders": 0.27,
    "quiz": 0.09,
    "extraction": 0.21,
    "refusals": 0.09,
    "documents": 0.03,
    "echo": 0.08,
}
"""Share of the examples per task."""


@dataclass(frozen=True)
class Mixture:
    """Endless random examples from some tasks."""

    shares: dict[str, float]
    makers: dict[str, Callable[[Random], Example]]
    held_out: frozenset[str]
    """Questions and texts that must not be trained on."""

    def examples(self, rng: Random) -> Iterator[Example]:
        """Examples without end; tests never among them."""
        names, weights = list(self.shares), list(self.shares.values())
        while True:
            example = self.makers[rng.choices(names, weights)[0]](rng)
            if (example.question or example.answer) not in self.held_out:
                yield example


def whole_mixture() -> Mixture:
    """All tasks of the shop but the workshop."""
    facts, policies = load_facts(), load_policies()
    makers: dict[str, Callable[[Random], Example]] = {
        "faq": lambda rng: faq.training_example(facts, rng),
        "orders": orders.training_example,
        "quiz": quiz.training_example,
        "extraction": extraction.training_example,
        "refusals": lambda rng: refusals.training_example(policies, rng),
        "echo": echo.training_example,
        "documents": lambda rng: documents.training_example(facts, rng),
    }
    return Mixture(SHARES, makers, held_out_questions())


def workshop_only() -> Mixture:
    """Nothing but the new topic."""
    facts = load_facts("workshop.toml")
    makers = {"new_topic": lambda rng: faq.training_example(facts, rng)}
    return Mixture({"new_topic": 1.0}, makers, held_out_questions())


def held_out_questions() -> frozenset[str]:
    """Every question and text of the data files."""
    return frozenset(row.question for rows in build_case_files().values() for row in rows)
