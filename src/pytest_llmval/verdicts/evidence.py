"""Evidence: scores and verdicts as JSON-ready dictionaries, and back."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from pytest_llmval.scoring.score import Basis, Scores, Unscored
from pytest_llmval.verdicts.verdict import CaseChange, Counts, Outcome, Slice, Verdict


def scores_to_dict(scores: Scores) -> dict[str, Any]:
    """Everything but the notes, which hold prompts and answers and are kept with the records.

    A case without a score is None in `values`; `unscored` says why.
    """
    return {
        "name": scores.name,
        "ids": list(scores.ids),
        "values": [_encode(value) for value in scores.values],
        "unscored": _unscored(scores),
        "unit": scores.unit,
        "higher_is_better": scores.higher_is_better,
        "bounds": _column(scores.bounds),
        "kind": scores.kind,
        "clusters": _column(scores.clusters),
        "must_pass": _column(scores.must_pass),
        "trials": scores.trials,
        "basis": None if scores.basis is None else _basis_to_dict(scores.basis),
        "version": scores.version,
        "weights": _column(scores.weights),
        "by_trial": None if scores.by_trial is None else [list(values) for values in scores.by_trial],
    }


def scores_from_dict(fields: dict[str, Any]) -> Scores:
    """The inverse of `scores_to_dict`.

    Raises:
        KeyError: If a field is missing.
        ValueError: If the columns do not fit each other.
    """
    unscored = {case_id: Unscored(**why) for case_id, why in fields["unscored"].items()}
    rows = zip(fields["ids"], fields["values"], strict=True)
    plain = {name: fields[name] for name in ("name", "unit", "higher_is_better", "kind", "trials", "version")}
    columns: dict[str, Any] = {name: _tuple(fields[name]) for name in ("bounds", "clusters", "must_pass")}
    # Evidence of an earlier version lacks what was added since.
    columns["weights"] = _tuple(fields.get("weights"))
    columns["by_trial"] = _tuple([tuple(values) for values in fields["by_trial"]] if fields.get("by_trial") else None)
    return Scores(
        ids=tuple(fields["ids"]),
        values=tuple(unscored[name] if value is None else float(value) for name, value in rows),
        basis=None if fields["basis"] is None else _basis(fields["basis"]),
        **plain,
        **columns,
    )


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """All fields of a verdict, the outcome by its value."""
    columns = {name: [asdict(each) for each in getattr(verdict, name)] for name in ("worst", "slices")}
    figures = {name: _figure(getattr(verdict, name)) for name in _FIGURES}
    return asdict(verdict) | columns | figures | {"outcome": verdict.outcome.value}


def verdict_from_dict(fields: dict[str, Any]) -> Verdict:
    """The inverse of `verdict_to_dict`.

    Raises:
        ValueError: If the outcome is unknown.
        TypeError: If a field is missing or unknown.
    """
    typed = {
        "outcome": Outcome(fields["outcome"]),
        "counts": Counts(**fields["counts"]),
        "worst": tuple(CaseChange(**each) for each in fields["worst"]),
        "slices": tuple(Slice(**each) for each in fields.get("slices", ())),
    }
    figures = {name: float(fields[name]) for name in _FIGURES if fields.get(name) is not None}
    return Verdict(**(fields | typed | figures))


_PARTED = ("protocol", "model")
_FIGURES = ("candidate", "low", "high")
"""Figures of a verdict that may be infinite."""


def _basis_to_dict(basis: Basis) -> dict[str, Any]:
    return asdict(basis) | {name: dict(getattr(basis, name)) for name in _PARTED}


def _basis(fields: dict[str, Any]) -> Basis:
    return Basis(**fields | {name: tuple(fields.get(name, {}).items()) for name in _PARTED})


def _unscored(scores: Scores) -> dict[str, dict[str, Any]]:
    rows = zip(scores.ids, scores.values, strict=True)
    return {case_id: asdict(value) for case_id, value in rows if isinstance(value, Unscored)}


def _encode(value: float | Unscored) -> float | str | None:
    """JSON has no infinity: it is written as text."""
    if isinstance(value, Unscored):
        return None
    return _figure(value)


def _figure(value: float | None) -> float | str | None:
    """The number, as text when it is infinite."""
    if value is None:
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _column(column: tuple[Any, ...] | None) -> list[Any] | None:
    return None if column is None else list(column)


def _tuple(column: list[Any] | None) -> tuple[Any, ...] | None:
    return None if column is None else tuple(column)
