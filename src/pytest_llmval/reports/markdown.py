"""`summary.md`: short enough to paste into a pull request."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from pytest_llmval.reports.figures import COLUMNS, row
from pytest_llmval.reports.safe_text import neutralise
from pytest_llmval.reports.terminal import asked_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.reports.summary import Gate, Summary
    from pytest_llmval.verdicts.verdict import CaseChange

ROWS_SHOWN = 15
WORST_SHOWN = 3
FIELD_LIMIT = 600


def summary_markdown(summary: Summary) -> str:
    """Verdict line, gate table, the three worst cases, what was asked."""
    parts = [
        "<!-- llmval:summary v1 -->",
        f"## {summary.headline}",
        "\n".join(_table(summary)),
        *_reasons(summary),
        *_worst(summary),
        "\n".join(f"- {line}" for line in asked_lines(summary)),
        f"Run `{summary.run_id}`; datasets: {', '.join(f'`{each}`' for each in sorted(summary.datasets)) or 'none'}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(summary: Summary) -> Iterator[str]:
    yield _row(COLUMNS)
    yield "|---|" + "--:|" * (len(COLUMNS) - 1)
    gates = summary.sorted_gates
    for gate in gates[:ROWS_SHOWN]:
        yield _row(row(gate))
    if len(gates) > ROWS_SHOWN:
        yield f"\n… and {len(gates) - ROWS_SHOWN} more."


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(neutralise(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _reasons(summary: Summary) -> Iterator[str]:
    told = [gate for gate in summary.sorted_gates if gate.verdict.reason]
    if told:
        yield "\n".join(f"- {gate.name}: {neutralise(gate.verdict.reason, FIELD_LIMIT)}" for gate in told[:ROWS_SHOWN])


def _worst(summary: Summary) -> Iterator[str]:
    """The worst cases, taken in turn from the gates, failed ones first."""
    failed = [gate for gate in summary.sorted_gates if not gate.verdict.passed and gate.verdict.worst]
    ranked = [(gate, place) for place in range(WORST_SHOWN) for gate in failed if place < len(gate.verdict.worst)]
    for gate, place in ranked[:WORST_SHOWN]:
        yield _case(gate, gate.verdict.worst[place])


def _case(gate: Gate, change: CaseChange) -> str:
    fields = (
        ("prompt", change.prompt),
        ("expected", change.expected),
        ("baseline", change.baseline_answer),
        ("candidate", change.candidate_answer),
    )
    body = "\n".join(f"{name}:\n{neutralise(text, FIELD_LIMIT)}" for name, text in fields if text)
    title = html.escape(f"{gate.verdict.metric}: {change.id}")
    return f"<details><summary>{title}</summary>\n<pre>{html.escape(body)}</pre>\n</details>"
