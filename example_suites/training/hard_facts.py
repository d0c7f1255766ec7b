"""The rows of faq.jsonl that count as hard facts."""

from __future__ import annotations

from pathlib import Path

from example import Row

HARD_FACTS = Path(__file__).parent / "hard_facts.txt"
"""Identifiers chosen by `mark_hard_facts.py` from what v1 answers exactly, one a line."""


def mark(rows: list[Row]) -> list[Row]:
    """The rows with `hard_fact` set where it applies."""
    chosen = set(HARD_FACTS.read_text("utf-8").split()) if HARD_FACTS.exists() else set()
    return [Row(row.id, {**row.columns, "hard_fact": row.id in chosen}) for row in rows]
