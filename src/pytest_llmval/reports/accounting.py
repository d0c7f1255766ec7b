"""Accounting: what became of every test, case and answer of a run; nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_llmval.reports.summary import Asked, Summary

OF_TRIALS = ("trials", "latency", "throughput")
"""Kinds of gate that count trials."""


@dataclass(frozen=True, slots=True)
class TestCounts:
    """Tests by pytest's outcome; a rerun replaces the attempt before it."""

    __test__ = False

    passed: int = 0
    failed: int = 0
    error: int = 0
    """Failed outside the test itself, for example because a server gave no answer."""
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """Cases that gates lost, summed over the gates: a case that two gates lost counts twice.

    The gate of a repeated test and those of speed lose trials and no cases: their verdicts have the numbers.
    """

    failed: int = 0
    """The candidate gave no answer; they entered with the worst bound."""
    unscored: int = 0
    """One side has no score; they were left out."""
    missing: int = 0
    """One side was not asked."""


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """Requests, summed over the versions."""

    measured: int = 0
    replayed: int = 0
    """Taken over from an earlier run: no new measurement."""
    failed: int = 0
    """Those of the measured or replayed that are errors."""
    truncated: int = 0
    """Those cut by `max_tokens` or the context length; they are scored as they are."""
    empty: int = 0
    """Those of nothing but white space; they are scored as they are."""


@dataclass(frozen=True, slots=True)
class Accounting:
    """All counts of a run."""

    tests: TestCounts
    cases: CaseCounts
    answers: AnswerCounts

    def figures(self) -> Iterator[tuple[str, int]]:
        """Name and value of each count: `tests.passed`, `cases.unscored`, `answers.replayed` and so on."""
        for group, counts in asdict(self).items():
            for name, count in counts.items():
                yield f"{group}.{name}", count


def accounting_of(summary: Summary) -> Accounting:
    """The counts of a run."""
    lost = [gate.verdict.counts for gate in summary.gates if gate.verdict.kind not in OF_TRIALS]
    return Accounting(
        TestCounts(*(summary.tests[outcome] for outcome in ("passed", "failed", "error", "skipped"))),
        CaseCounts(*(sum(getattr(each, fate) for each in lost) for fate in ("failed", "unscored", "missing"))),
        answer_counts(summary.asked.values()),
    )


def answer_counts(asked: Collection[Asked]) -> AnswerCounts:
    """The requests to some versions."""
    return AnswerCounts(*(sum(getattr(each, kind.name) for each in asked) for kind in fields(AnswerCounts)))


def line_of_tests(counts: TestCounts) -> str:
    """The tests in a line."""
    errors = "1 error" if counts.error == 1 else f"{counts.error} errors"
    return f"tests: {counts.passed} passed, {counts.failed} failed, {errors}, {counts.skipped} skipped"


def line_of_lost_cases(counts: CaseCounts) -> str:
    """The cases that gates lost in a line, empty when none was."""
    if not (counts.failed or counts.unscored or counts.missing):
        return ""
    return f"cases lost by gates: {counts.failed} failed, {counts.unscored} unscored, {counts.missing} missing"
