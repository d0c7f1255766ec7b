"""The test rows of every data file, drawn with fixed seeds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import documents
import extraction
import faq
import hard_facts
import orders
import quiz
import refusals
from domain import load_facts, load_policies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from example import Row


def build_case_files() -> dict[str, list[Row]]:
    """Rows per file name without ending, no question twice in a file."""
    facts, workshop = load_facts(), load_facts("workshop.toml")
    files = {
        "faq": hard_facts.mark(faq.held_out_rows(facts)),
        "faq_wild": faq.wild_rows(facts),
        "orders": orders.held_out_rows(300, Random(101)),
        "quiz": quiz.held_out_rows(300, Random(102)),
        "extraction": extraction.held_out_rows(300, Random(103)),
        "refusals": refusals.held_out_rows(load_policies()),
        "new_topic": faq.held_out_rows(workshop, repeats=3),
        "documents": documents.held_out_rows(facts, 240, Random(104)),
    }
    return {name: _without_repeats(rows) for name, rows in files.items()}


def _without_repeats(rows: Iterable[Row]) -> list[Row]:
    return list({row.question: row for row in reversed(list(rows))}.values())[::-1]
