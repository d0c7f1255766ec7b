"""`summary.md`: short enough to paste into a pull request."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from pytest_llmval.reports.accounting import accounting_of, line_of_lost_cases, line_of_tests
from pytest_llmval.reports.failure import FIELD_LIMIT, texts_of
from pytest_llmval.reports.figures import COLUMNS, remark, row
from pytest_llmval.reports.safe_text import clip, neutralise
from pytest_llmval.reports.slices import COLUMNS as SLICE_COLUMNS
from pytest_llmval.reports.slices import slice_rows
from pytest_llmval.reports.terminal import asked_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.reports.summary import Gate, Summary
    from pytest_llmval.verdicts.verdict import CaseChange

ROWS_SHOWN = 15
WORST_SHOWN = 3
CELL_LIMIT = 200
LENGTH_LIMIT = 60_000
"""Characters; GitHub refuses a comment of more than 65536."""


def summary_markdown(summary: Summary) -> str:
    """Verdict line, gate table, what else failed, the three worst cases, counts; at most LENGTH_LIMIT characters."""
    heads = ["<!-- llmval:summary v1 -->", f"## {_inline(summary.headline, FIELD_LIMIT)}", "\n".join(_table(summary))]
    details = [*_other_failures(summary), *_reasons(summary), *_slices(summary), *_worst(summary)]
    tail = [
        "\n".join(f"- {_inline(line)}" for line in _count_lines(summary)),
        f"Run `{summary.run_id}`; datasets: {_datasets(summary)}.",
    ]
    while sum(map(len, heads + details + tail)) > LENGTH_LIMIT - 2 * len(details) and details:
        details.pop()
    return "\n\n".join(part for part in heads + details + tail if part) + "\n"


def _datasets(summary: Summary) -> str:
    shown = [f"`{_inline(each).replace('`', '')}`" for each in sorted(summary.datasets)[:ROWS_SHOWN]]
    return ", ".join(shown) or "none"


def _count_lines(summary: Summary) -> Iterator[str]:
    counts = accounting_of(summary)
    yield from filter(None, (line_of_tests(counts.tests), line_of_lost_cases(counts.cases)))
    yield from asked_lines(summary)


def _other_failures(summary: Summary) -> Iterator[str]:
    """Tests that failed for another reason than a gate, for example a golden."""
    tests = sorted(summary.other_failed_tests)
    if tests:
        lines = [f"- {_inline(test)}" for test in tests[:ROWS_SHOWN]]
        rest = [f"- … and {len(tests) - ROWS_SHOWN} more"] if len(tests) > ROWS_SHOWN else []
        yield "\n".join(["Failed:\n", *lines, *rest])


def _table(summary: Summary) -> Iterator[str]:
    if not summary.gates:
        return
    yield _row(COLUMNS)
    yield "|---|" + "--:|" * (len(COLUMNS) - 1)
    gates = summary.sorted_gates
    for gate in gates[:ROWS_SHOWN]:
        yield _row(row(gate))
    if len(gates) > ROWS_SHOWN:
        yield f"\n… and {len(gates) - ROWS_SHOWN} more."


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_inline, cells)) + " |"


def _inline(text: str, limit: int = CELL_LIMIT) -> str:
    """One line that is no tag, link, image or end of a cell. A pipe becomes an entity: a backslash may precede it."""
    line = clip(" ".join(neutralise(text, limit).split()), limit)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("](", "]&#40;")


def _reasons(summary: Summary) -> Iterator[str]:
    told = [(gate, said) for gate in summary.sorted_gates if (said := remark(gate.verdict))]
    if told:
        reasons = ((_inline(gate.name), _inline(said, FIELD_LIMIT)) for gate, said in told[:ROWS_SHOWN])
        yield "\n".join(f"- {name}: {reason}" for name, reason in reasons)


def _slices(summary: Summary) -> Iterator[str]:
    """A table a gate, folded away: the slices decide nothing."""
    for gate in summary.sorted_gates:
        rows = slice_rows(gate)
        if rows:
            title = f"{_inline(gate.name)}: {len(rows)} slices"
            yield f"<details><summary>{title}</summary>\n\n{_slice_table(rows)}\n\n</details>"


def _slice_table(rows: list[tuple[str, ...]]) -> str:
    head = [_row(SLICE_COLUMNS), "|---|" + "--:|" * (len(SLICE_COLUMNS) - 1)]
    rest = [f"\n… and {len(rows) - ROWS_SHOWN} more."] if len(rows) > ROWS_SHOWN else []
    return "\n".join([*head, *map(_row, rows[:ROWS_SHOWN]), *rest])


def _worst(summary: Summary) -> Iterator[str]:
    """The worst cases, taken in turn from the gates, failed ones first."""
    failed = [gate for gate in summary.sorted_gates if not gate.verdict.passed and gate.verdict.worst]
    ranked = [(gate, place) for place in range(WORST_SHOWN) for gate in failed if place < len(gate.verdict.worst)]
    for gate, place in ranked[:WORST_SHOWN]:
        yield _case(gate, gate.verdict.worst[place])


def _case(gate: Gate, change: CaseChange) -> str:
    body = "\n".join(f"{name}:\n{text}" for name, text in texts_of(change))
    title = _inline(f"{gate.verdict.metric}: {change.id}")
    # The blank line makes <pre> a block of its own: else the first blank line in a text ends the block, and what
    # follows is read as Markdown.
    return f"<details><summary>{title}</summary>\n\n<pre>{html.escape(body)}</pre>\n\n</details>"
