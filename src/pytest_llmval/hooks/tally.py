"""Tally: how each test ended, counted in the process that sees all reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

RANK = ("passed", "skipped", "failed", "error")
"""A test's outcome is the last of these that any of its phases had."""


@dataclass
class Tally:
    """Tests by outcome. A rerun replaces the attempt before it."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed_tests: set[str] = field(default_factory=set)
    """Node ids of tests that failed or had an error."""
    infrastructure: set[str] = field(default_factory=set)
    """Those of them that failed because a server did."""
    broken_files: set[str] = field(default_factory=set)
    """What could not be collected."""
    _phases: dict[str, list[str]] = field(default_factory=dict)

    def add(self, report: pytest.TestReport) -> str | None:
        """Count a report; gives the test's outcome when this was its last one."""
        test = report.nodeid
        if report.when == "setup":
            self._phases[test] = []
        self._phases.setdefault(test, []).append(phase_outcome(report))
        # A test whose worker crashed has one report, of no phase: it says nothing about the model.
        crashed = report.when not in ("setup", "call", "teardown")
        if report.failed and (crashed or getattr(report, "llmval", {}).get("infrastructure")):
            self.infrastructure.add(test)
        return None if report.when in ("setup", "call") else self._end(test)

    def _end(self, test: str) -> str | None:
        phases = self._phases.pop(test)
        if "rerun" in phases:
            return None
        outcome = max(phases, key=RANK.index)
        self.outcomes[outcome] += 1
        if outcome in ("failed", "error"):
            self.failed_tests.add(test)
        return outcome

    @property
    def has_results(self) -> bool:
        """Whether any test passed, failed or had an error."""
        return bool(self.outcomes["passed"] or self.failed_tests)

    @property
    def only_infrastructure_failed(self) -> bool:
        """Whether tests failed, each of them because a server did, and all files were read."""
        return bool(self.failed_tests) and self.failed_tests <= self.infrastructure and not self.broken_files


def phase_outcome(report: pytest.TestReport) -> str:
    """The outcome of one phase; a failure outside the call is an error, as pytest counts it."""
    if report.outcome == "failed" and report.when in ("setup", "teardown"):
        return "error"
    return report.outcome


TALLY: pytest.StashKey[Tally] = pytest.StashKey()
