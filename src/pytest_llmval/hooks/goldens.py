"""Goldens of another environment that passed all the same: said in the terminal, so that it is not overlooked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.stash import GOLDEN_NOTES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
KEPT = pytest.StashKey[bool]()
"""Whether unused goldens were not deleted."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put them on the report, which travels to the process that prints."""
    report = yield
    notes = item.stash.get(GOLDEN_NOTES, None)
    if call.when == "call" and notes:
        report.llmval_goldens = list(notes)  # type: ignore[attr-defined]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With --snapshot-update, delete nothing as unused when a test failed or never came to its golden."""
    option = session.config.option
    if getattr(option, "update_snapshots", False) and (session.testsfailed or session.exitstatus in STOPPED):
        option.disable_unused_snapshots = True
        session.config.stash[KEPT] = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for each pair of environments, and one when unused goldens were kept."""
    if config.stash.get(KEPT, False):
        terminalreporter.write_line(
            "unused goldens and snapshots were kept: not every test passed, so one may be in use"
        )
    for note, count in sorted(Counter(_notes(terminalreporter)).items()):
        goldens = "1 golden" if count == 1 else f"{count} goldens"
        terminalreporter.write_line(
            f"{goldens} of another environment passed, under its wider tolerance ({note}); "
            f"pytest --snapshot-update adds goldens of this one"
        )


def _notes(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            yield from getattr(report, "llmval_goldens", ())
