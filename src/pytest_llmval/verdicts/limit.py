"""Limit: a number that was measured, not sampled, against the most that is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_llmval.verdicts.verdict import Counts, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Measured:
    """A number of one comparison of two models: a divergence, or how many parts of them differ."""

    metric: str
    limit: float
    """Largest value that passes."""
    value: float | None = None
    """None when nothing could be measured."""
    compared: int = 0
    """Positions, tensors or stages that it speaks of."""
    headline: str = ""
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    """What else is kept with the run, as JSON values."""


def decide_limit(measured: Measured, *, undecided: bool = False) -> Verdict:
    """The verdict on a measured number: `equivalent` up to the limit, else `regressed`.

    There is no interval: the number is that of these very models on these inputs.

    Args:
        measured: The number and its limit.
        undecided: Whether the comparison could not be made in full: a number within the limit is then `inconclusive`.

    Returns:
        A verdict of kind `limit`; `invalid` when nothing was measured.
    """
    return Verdict(
        outcome=_outcome(measured, undecided=undecided),
        metric=measured.metric,
        kind="limit",
        headline=measured.headline,
        reason=measured.reason,
        candidate=measured.value,
        threshold=measured.limit,
        counts=Counts(cases=measured.compared, compared=measured.compared),
        evidence={
            "kind": "limit",
            "metric": measured.metric,
            "compared": measured.compared,
            "parameters": {"limit": measured.limit},
            "value": measured.value,
            "undecided": undecided,
            "details": measured.details,
        },
    )


def _outcome(measured: Measured, *, undecided: bool) -> Outcome:
    if measured.value is None:
        return Outcome.INCONCLUSIVE if undecided else Outcome.INVALID
    if not measured.value <= measured.limit:
        return Outcome.REGRESSED
    return Outcome.INCONCLUSIVE if undecided else Outcome.EQUIVALENT
