"""`llmval compare`: what the candidates of two runs scored, gate by gate, from the evidence both left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.asserts import ALPHA
from pytest_llmval.cli.runs import find_run, run_notes, workplace
from pytest_llmval.errors import SettingsError
from pytest_llmval.reports.figures import COLUMNS, remark, row
from pytest_llmval.reports.safe_text import neutralise
from pytest_llmval.reports.summary import Gate, Summary
from pytest_llmval.reports.terminal import remark_line, table
from pytest_llmval.settings import axes_from
from pytest_llmval.verdicts.family import adjusted_alpha
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.records.store import LocalStore
    from pytest_llmval.verdicts.verdict import Verdict

MARGIN = 0.05
ASKED_AGAIN = ("no_regression", "equivalent")
"""Kinds of gates whose own question is put to the two candidates."""
ASKED_FOR_A_LOSS = ("improved", "at_least", "at_most")
"""Kinds of gates of which the scores alone are taken, and asked whether they got worse."""
HOLDS, FAILS, NOTHING = 0, 1, 5
"""Exit statuses; what is wrong with the input has that of pytest."""

Key = tuple[str, str, int]
"""A gate by test, metric and its number within the test."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    summary: Summary
    left_over: tuple[str, ...]
    """Gates that were not compared, each with the reason."""
    notes: tuple[str, ...]
    """What a reader should know of the two runs; they do not decide."""

    @property
    def status(self) -> int:
        """1 when a gate fails or cannot be decided, 5 when there was none to compare."""
        if not self.summary.gates:
            return NOTHING
        fails = self.summary.count(Outcome.REGRESSED) + self.summary.count(Outcome.INVALID)
        return FAILS if fails else HOLDS


def compare(
    baseline_run: str, candidate_run: str, *, vary: str = "", margin: float = MARGIN, store: str | None = None
) -> Comparison:
    """The candidate of one run compared with the candidate of another, gate by gate.

    Args:
        baseline_run: Id of the run whose candidate is taken for the baseline, the beginning of one, or `latest`.
        candidate_run: The same of the run whose candidate is judged.
        vary: What may differ between the two, with commas.
        margin: Largest loss that is tolerated, where a gate has none of its own; in the metric's unit, at least 0.
        store: Folder of the record store.

    Raises:
        SettingsError: If there is no such run, what may differ is unknown, or the margin is below 0.
    """
    if not 0 <= margin < float("inf"):
        msg = f"--margin {margin!r}: expected 0 or more, in the unit of the metric"
        raise SettingsError(msg)
    axes = axes_from(vary, "--vary")
    records = workplace(store).store
    run_ids = find_run(records, baseline_run), find_run(records, candidate_run)
    before, after = (_gates(records, run_id) for run_id in run_ids)
    pairs = {
        key: (before[key], after[key]) for key in before if key in after and _are_comparable(before[key], after[key])
    }
    summary = Summary(
        run_id=run_ids[1],
        candidate=_named(records, run_ids[1]),
        baseline=_named(records, run_ids[0]),
        gates=_decided(pairs, axes, margin),
    )
    notes = tuple(note for run_id in dict.fromkeys(run_ids) for note in run_notes(records, run_id))
    return Comparison(summary, tuple(_left_over(before, after, run_ids)), notes)


def _gates(store: LocalStore, run_id: str) -> dict[Key, dict[str, Any]]:
    """The evidence of each gate of a run."""
    return {
        (entry["test"], entry["metric"], entry["evidence"].get("gate", 1)): entry["evidence"]
        for entry in store.verdicts(run_id)
    }


def _are_comparable(*sides: dict[str, Any]) -> bool:
    return all(evidence["kind"] in ASKED_AGAIN + ASKED_FOR_A_LOSS for evidence in sides)


def _named(store: LocalStore, run_id: str) -> str:
    return f"{store.read_manifest(run_id)['candidate']} ({run_id})"


def _decided(pairs: dict[Key, tuple[dict[str, Any], dict[str, Any]]], vary: Sequence[str], margin: float) -> list[Gate]:
    """The gates, *regressed* at Holm's level: α over the number of gates that are not called so already."""
    level, step = 0.0, adjusted_alpha(ALPHA, max(1, len(pairs)))
    gates: list[Gate] = []
    while step > level:
        level = step
        parameters = {"vary": vary, "alpha_adjusted": level}
        gates = [Gate(key[0], _as_gate(_decide(*sides, margin, parameters), key)) for key, sides in pairs.items()]
        regressed = sum(gate.verdict.outcome is Outcome.REGRESSED for gate in gates)
        step = adjusted_alpha(ALPHA, max(1, len(pairs) - regressed))
    return gates


def _decide(before: dict[str, Any], after: dict[str, Any], margin: float, parameters: dict[str, Any]) -> Verdict:
    """The gate's own question about the two candidates, else whether the second is worse by more than the margin."""
    asked: dict[str, Any] = {"kind": "no_regression", "parameters": {"margin": margin}}
    if after["kind"] in ASKED_AGAIN:
        asked = {"kind": after["kind"], "parameters": after["parameters"]}
    sides = {"baseline": before["candidate"], "candidate": after["candidate"]}
    try:
        return recompute(asked | sides, **parameters)
    except ValueError as error:
        msg = f"--margin: {error}"
        raise SettingsError(msg) from error


def _as_gate(verdict: Verdict, key: Key) -> Verdict:
    return replace(verdict, evidence=verdict.evidence | {"test": key[0], "gate": key[2]})


def _left_over(before: dict[Key, Any], after: dict[Key, Any], run_ids: tuple[str, str]) -> Iterator[str]:
    for key in dict.fromkeys([*before, *after]):
        name = f"{key[0]} {key[1]}" + (f" (gate {key[2]})" if key[2] > 1 else "")
        if key not in after:
            yield f"only in {run_ids[0]}: {name}"
        elif key not in before:
            yield f"only in {run_ids[1]}: {name}"
        elif not _are_comparable(before[key], after[key]):
            yield f"not compared, since its evidence is no score of the candidate by case: {name}"


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """The answer, the table, why a gate is not simply passed, what was not compared, and how the runs ended."""
    summary = comparison.summary
    if summary.gates:
        yield summary.headline
        yield from table([COLUMNS, *(row(gate) for gate in summary.sorted_gates)])
    else:
        yield f"NOTHING TO COMPARE: {summary.against}: no gate of one run is in the other"
    for gate in summary.sorted_gates:
        yield from _remarks(gate)
    yield from comparison.left_over
    yield from comparison.notes


def _remarks(gate: Gate) -> Iterator[str]:
    verdict = gate.verdict
    if remark(verdict):
        yield remark_line(gate)
    if verdict.outcome is Outcome.REGRESSED and verdict.worst:
        yield f"  worst cases: {', '.join(neutralise(repr(each.id)) for each in verdict.worst)}"
