"""`results.json`: a run for machines. The scores of its cases are in `verdicts.jsonl`, prompts and answers nowhere."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.reports.accounting import accounting_of, answer_counts
from pytest_llmval.verdicts.evidence import verdict_to_dict

if TYPE_CHECKING:
    from pytest_llmval.reports.summary import Gate, Summary

SCHEMA = 1
"""Changes when a field changes its meaning or goes; fields may be added."""
INFRASTRUCTURE_FAILED = 75
"""Exit status: EX_TEMPFAIL of sysexits.h, try later."""
EXIT_MEANINGS = {
    0: "no test failed",
    1: "a test failed",
    2: "the run was stopped before its end",
    3: "pytest failed internally",
    4: "an option or a setting is wrong",
    5: "no test came to a result",
    INFRASTRUCTURE_FAILED: "only infrastructure failed; try again later",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    status: int
    """Exit status of pytest, as far as this plugin knows; another plugin may still change it."""
    started_at: str | None
    """ISO 8601 in UTC; None when no model was asked."""
    ended_at: str
    verdicts: str | None = None
    """Path of `verdicts.jsonl`, relative to the folder of the results; None when there is none."""


def results_json(summary: Summary, ending: Ending) -> str:
    """The text of the file; non-finite numbers are written as text, since JSON has none."""
    return json.dumps(_finite(results_of(summary, ending)), indent=1, allow_nan=False) + "\n"


def results_of(summary: Summary, ending: Ending) -> dict[str, Any]:
    """The contents of the file."""
    return {
        "schema": SCHEMA,
        "run_id": summary.run_id,
        "candidate": summary.candidate,
        "baseline": summary.baseline,
        "baseline_origin": summary.baseline_origin,
        "answer": summary.answer,
        "headline": summary.headline,
        "strict": summary.strict,
        "is_complete": summary.is_complete,
        "exit": {"status": ending.status, "meaning": EXIT_MEANINGS.get(ending.status, "set by another plugin")},
        "counts": asdict(accounting_of(summary)),
        "gates": [_gate(gate) for gate in summary.gates],
        "failed_tests": sorted(summary.failed_tests),
        "asked": {version: _asked(summary, version) for version in sorted(summary.asked)},
        "datasets": sorted(summary.datasets),
        "verdicts": ending.verdicts,
        "started_at": ending.started_at,
        "ended_at": ending.ended_at,
    }


def _gate(gate: Gate) -> dict[str, Any]:
    """The verdict without scores, prompts and answers; of the worst cases their ids."""
    fields = verdict_to_dict(gate.verdict)
    del fields["evidence"]
    named = {"test": gate.test, "number": gate.number}
    return named | fields | {"worst": [change.id for change in gate.verdict.worst]}


def _asked(summary: Summary, version: str) -> dict[str, Any]:
    asked = summary.asked[version]
    spent = {name: getattr(asked, name) for name in ("prompt_tokens", "completion_tokens", "cost")}
    return asdict(answer_counts([asked])) | spent | {"server_deaths": asked.deaths}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
