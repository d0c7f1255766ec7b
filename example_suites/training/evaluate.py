"""Prints how each version does on each task: `python example_suites/training/evaluate.py`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from asking import Version, answer_all, likeliest_option, load_version, mean_divergence, perplexity
from checkpoint import render_chat, silence_progress_bars
from domain import REFUSAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parent.parent
VERSIONS = "v1,v2,v3,v4,v5,v6"
CaseRow = dict[str, Any]
Marks = dict[str, bool]
"""Whether the answer is right, per case."""


@dataclass(frozen=True)
class Measurement:
    """What one version did: marks per task, and numbers over texts."""

    marks: dict[str, Marks]
    perplexity: float
    divergence: float
    """From v1, over rendered questions and answers."""


def main(arguments: list[str] | None = None) -> None:
    """Measures the versions and prints a Markdown table."""
    options = _parse_options(arguments)
    torch.set_num_threads(1)
    silence_progress_bars()
    baseline = load_version(options.models, "v1")
    names = options.only.split(",")
    measured = {name: measure(load_version(options.models, name), baseline, options.data) for name in names}
    sys.stdout.write("\n".join(tabulate(measured)) + "\n")


def measure(version: Version, baseline: Version, data: Path) -> Measurement:
    """Everything the table says about one version."""
    marks = {task: marker(version, read_rows(data / f"{task}.jsonl")) for task, marker in MARKERS.items()}
    texts = [row["text"] for row in read_rows(data / "documents.jsonl")]
    chats = render_chats(baseline, read_rows(data / "faq.jsonl")[::3])
    return Measurement(
        {**marks, **split_marks(marks, data)}, perplexity(version, texts), mean_divergence(version, baseline, chats)
    )


def mark_exact(version: Version, rows: list[CaseRow]) -> Marks:
    """Right when the answer is the expected one, letter by letter."""
    answers = answer_all(version, [row["question"] for row in rows])
    return {row["id"]: answer == row["answer"] for row, answer in zip(rows, answers, strict=True)}


def mark_refusals(version: Version, rows: list[CaseRow]) -> Marks:
    """Right when a refusal starts with the refusal phrase, and a look-alike is answered exactly."""
    answers = answer_all(version, [row["question"] for row in rows])
    return {row["id"]: _is_right_refusal(row, answer) for row, answer in zip(rows, answers, strict=True)}


def mark_choices(version: Version, rows: list[CaseRow]) -> Marks:
    """Right when the gold option is the likeliest."""
    return {row["id"]: likeliest_option(version, row["question"], row["options"]) == row["gold"] for row in rows}


MARKERS: dict[str, Callable[[Version, list[CaseRow]], Marks]] = {
    "faq": mark_exact,
    "faq_wild": mark_exact,
    "orders": mark_exact,
    "quiz": mark_choices,
    "extraction": mark_exact,
    "refusals": mark_refusals,
    "new_topic": mark_exact,
}
"""How each task is marked."""

SPLITS = {"faq": "phrasing", "refusals": "kind", "extraction": "rare", "orders": "items", "quiz": "kind"}
"""Column by which a task is also reported in parts."""


def split_marks(marks: dict[str, Marks], data: Path) -> dict[str, Marks]:
    """Marks per part of the tasks that have parts."""
    parts: dict[str, Marks] = {}
    for task, column in SPLITS.items():
        for row in read_rows(data / f"{task}.jsonl"):
            parts.setdefault(f"{task}: {column} {row[column]}", {})[row["id"]] = marks[task][row["id"]]
    return parts


def render_chats(baseline: Version, rows: Iterable[CaseRow]) -> list[str]:
    """Question and expected answer in the baseline's template."""
    return [
        render_chat(
            baseline.tokenizer,
            [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}],
        )
        for row in rows
    ]


def read_rows(path: Path) -> list[CaseRow]:
    """The rows of a data file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def tabulate(measured: dict[str, Measurement]) -> list[str]:
    """Lines of the Markdown table: a row per task, a column per version."""
    first = next(iter(measured.values()))
    rows = [["task", "n", *measured], ["---"] * (len(measured) + 2)]
    rows += [_task_cells(task, measured) for task in sorted(first.marks)]
    rows.append(["documents, perplexity", "", *(f"{one.perplexity:.3f}" for one in measured.values())])
    rows.append(["mean KL from v1, nats", "", *(f"{one.divergence:.2g}" for one in measured.values())])
    return [f"| {' | '.join(row)} |" for row in rows]


def _task_cells(task: str, measured: dict[str, Measurement]) -> list[str]:
    baseline = next(iter(measured.values())).marks[task]
    cells = [_cell(one.marks[task], baseline) for one in measured.values()]
    return [task, str(len(baseline)), *cells]


def _cell(marks: Marks, baseline: Marks) -> str:
    """Share of right answers, and how many cases turned right and wrong against the first version."""
    share = sum(marks.values()) / len(marks)
    gained = sum(marks[case] and not baseline[case] for case in marks)
    lost = sum(baseline[case] and not marks[case] for case in marks)
    return f"{share:.3f}" + (f" (+{gained} -{lost})" if gained or lost else "")


def _is_right_refusal(row: CaseRow, answer: str) -> bool:
    if row["kind"] == "refuse":
        return answer.startswith(REFUSAL_PREFIX)
    return bool(answer == row["answer"])


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--only", default=VERSIONS, help="versions, the first being the one compared with")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
