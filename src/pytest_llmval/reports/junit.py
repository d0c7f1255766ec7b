"""What pytest's JUnit file says of the run, as properties of the suite.

Properties of single tests would make the file invalid against the Jenkins schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.reports.accounting import accounting_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.reports.summary import Gate, Summary


def suite_properties(summary: Summary) -> Iterator[tuple[str, str]]:
    """Name and value of each property."""
    yield "llmval.run_id", summary.run_id
    yield "llmval.model_version", summary.candidate
    if summary.baseline:
        yield "llmval.baseline_version", summary.baseline
    if summary.baseline_origin:
        yield "llmval.baseline_origin", summary.baseline_origin
    for dataset in sorted(summary.datasets):
        yield "llmval.dataset", dataset
    if summary.gates:
        yield "llmval.verdict", summary.headline
    for name, count in accounting_of(summary).figures():
        yield f"llmval.count.{name}", str(count)
    for gate in summary.gates:
        yield from _gate_properties(gate)


def _gate_properties(gate: Gate) -> Iterator[tuple[str, str]]:
    verdict = gate.verdict
    prefix = f"llmval.{gate.test}.{verdict.metric}" + (f".{gate.number}" if gate.number > 1 else "")
    yield f"{prefix}.verdict", verdict.outcome.value
    figures = {
        "baseline": verdict.baseline,
        "candidate": verdict.candidate,
        "delta": verdict.delta,
        "bar": verdict.threshold,
        "margin": verdict.margin,
        "ci_low": verdict.low,
        "ci_high": verdict.high,
        "n": verdict.counts.compared,
    }
    for name, figure in figures.items():
        if figure is not None:
            yield f"{prefix}.{name}", str(figure) if isinstance(figure, int) else f"{figure:.6g}"
