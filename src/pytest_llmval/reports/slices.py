"""Slices in words and tables: what stands below a gate that tells its cases apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.reports.figures import change, ends, value

if TYPE_CHECKING:
    from pytest_llmval.reports.summary import Gate
    from pytest_llmval.verdicts.verdict import Slice, Verdict

COLUMNS = ("slice", "baseline", "candidate", "delta", "90% CI", "n", "adjusted p of worse")


def slice_rows(gate: Gate) -> list[tuple[str, ...]]:
    """The cells of each slice, in the order of COLUMNS, worst first."""
    return [_row(gate.verdict, each) for each in gate.verdict.slices]


def _row(verdict: Verdict, found: Slice) -> tuple[str, ...]:
    return (
        found.name,
        value(found.baseline),
        value(found.candidate),
        change(verdict, found.delta, signed=True),
        ends(verdict, found.low, found.high),
        str(found.cases),
        "-" if found.p_adjusted is None else f"{found.p_adjusted:.2g}",
    )
