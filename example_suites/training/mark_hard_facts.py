"""Chooses the hard facts: `python example_suites/training/mark_hard_facts.py`, then `write_data.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from asking import load_version
from checkpoint import silence_progress_bars
from evaluate import ROOT, CaseRow, mark_exact, read_rows
from hard_facts import HARD_FACTS

COUNT = 15
MUST_KNOW = ("v1", "v2", "v5", "v6")
"""Versions that answer every hard fact exactly."""


def main(arguments: list[str] | None = None) -> None:
    """Writes the identifiers of the chosen rows, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    models: Path = parser.parse_args(arguments).models
    torch.set_num_threads(1)
    silence_progress_bars()
    known = find_known(models, read_rows(ROOT / "data" / "faq.jsonl"))
    HARD_FACTS.write_text("".join(f"{row['id']}\n" for row in choose_hard_facts(known)), encoding="utf-8")


def find_known(models: Path, rows: list[CaseRow]) -> list[CaseRow]:
    """Rows that all versions that must know them answer exactly."""
    marks = [mark_exact(load_version(models, name), rows) for name in MUST_KNOW]
    return [row for row in rows if all(one[row["id"]] for one in marks)]


def choose_hard_facts(known: list[CaseRow]) -> list[CaseRow]:
    """Rows of different facts, evenly spread over all facts, with changing phrasings."""
    by_fact: dict[str, list[CaseRow]] = {}
    for row in known:
        by_fact.setdefault(row["fact"], []).append(row)
    groups = list(by_fact.values())
    chosen = [groups[at * len(groups) // COUNT] for at in range(COUNT)]
    return [group[at % len(group)] for at, group in enumerate(chosen)]


if __name__ == "__main__":
    main()
