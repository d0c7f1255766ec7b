"""The table at the end of a terminal session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.reports.accounting import accounting_of, line_of_lost_cases
from pytest_llmval.reports.figures import COLUMNS, remark, row
from pytest_llmval.reports.safe_text import neutralise
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.reports.summary import Asked, Gate, Summary

ROWS_SHOWN = 20


def summary_lines(summary: Summary) -> Iterator[str]:
    """The lines of the summary: verdict, table, cases lost, what was asked; pytest itself counts the tests."""
    yield summary.headline
    gates = summary.sorted_gates
    yield from table([COLUMNS, *(row(gate) for gate in gates[:ROWS_SHOWN])])
    if len(gates) > ROWS_SHOWN:
        yield f"... {len(gates) - ROWS_SHOWN} more in summary.md"
    yield from _remarks(gates)
    lost = line_of_lost_cases(accounting_of(summary).cases)
    if lost:
        yield lost
    yield from asked_lines(summary)


def _remarks(gates: Sequence[Gate]) -> Iterator[str]:
    """What a reader should know of gates that stop no version: they have no failure to read it in."""
    for gate in gates:
        if gate.verdict.outcome not in (Outcome.REGRESSED, Outcome.INVALID) and remark(gate.verdict):
            yield remark_line(gate)


def remark_line(gate: Gate) -> str:
    """What a reader should know of a gate in one line: `inconclusive: test_faq.py::test_answers rouge_l: …`."""
    word, reason = gate.verdict.outcome.value.replace("_", " "), neutralise(remark(gate.verdict))
    return f"{word}: {gate.name}: {' '.join(reason.split())}"


def asked_lines(summary: Summary) -> Iterator[str]:
    """What was measured, replayed and failed, a line for each version."""
    for version, asked in sorted(summary.asked.items()):
        if summary.baseline_origin and version == summary.baseline:
            yield f"baseline {version} ({summary.baseline_origin}): {asked.replayed} answers replayed, none measured"
        else:
            yield f"{version}: {_asked(asked)}"


def _asked(asked: Asked) -> str:
    parts = [f"{asked.measured} answers measured"]
    if asked.replayed:
        parts.append(f"{asked.replayed} replayed from an earlier run")
    if asked.failed:
        parts.append(f"{asked.failed} failed")
    if asked.truncated:
        parts.append(f"{asked.truncated} cut at their longest")
    if asked.empty:
        parts.append(f"{asked.empty} empty")
    if asked.cost != 0:
        parts.append(f"{asked.prompt_tokens + asked.completion_tokens:,} tokens, {dollars(asked.cost)}")
    if asked.deaths:
        parts.append(f"its server died (exit status {', '.join(map(str, asked.deaths))}) and was started anew")
    total = asked.measured + asked.replayed - asked.called
    if asked.needed and not asked.whole_sets and len(asked.needed) < total:
        parts.append(
            f"for {len(asked.needed)} selected: blocks are computed whole, so that numbers do not depend on it"
        )
    return ", ".join(parts)


def dollars(amount: float | None) -> str:
    """An amount of money with at least three figures.

    >>> dollars(0.00045), dollars(12.3456), dollars(None)
    ('0.00045 USD', '12.35 USD', 'at a price that nobody knows')
    """
    if amount is None:
        return "at a price that nobody knows"
    return f"{amount:,.2f} USD" if amount >= 1 else f"{amount:.3g} USD"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with aligned columns; the first column left, the others right."""
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    for cells in rows:
        rest = "  ".join(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        yield f"{cells[0].ljust(widths[0])}  {rest}".rstrip()
