"""What stands below the headline of a failed gate: its worst cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.reports.safe_text import gutter, neutralise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.verdicts.verdict import CaseChange, Verdict

WORST_SHOWN = 3
FIELD_LIMIT = 600
TITLE_LIMIT = 200


def worst_cases(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Title and text of each of the worst cases."""
    for number, change in enumerate(verdict.worst[:WORST_SHOWN], start=1):
        yield neutralise(f"{verdict.metric}: worst case {number}, {change.id}", TITLE_LIMIT), "\n".join(_lines(change))


def _lines(change: CaseChange) -> Iterator[str]:
    yield f"score: {_score(change.candidate)}" if change.baseline is None else _scores(change)
    for name, text in texts_of(change):
        yield f"{name}:"
        yield gutter(text)


def texts_of(change: CaseChange) -> list[tuple[str, str]]:
    """What was asked, expected and answered, made safe to show; without what is empty."""
    fields = (
        ("prompt", change.prompt),
        ("expected", change.expected),
        ("baseline", change.baseline_answer),
        ("candidate", change.candidate_answer),
    )
    return [(name, neutralise(text, FIELD_LIMIT)) for name, text in fields if text]


def _scores(change: CaseChange) -> str:
    return f"score: {_score(change.baseline)} -> {_score(change.candidate)}"


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
