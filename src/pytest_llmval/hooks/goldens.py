"""Goldens of another environment that passed all the same: said in the terminal, so that it is not overlooked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.fixtures.golden import ANSWER_NOTES, ANSWER_SUFFIX
from pytest_llmval.stash import GOLDEN_NOTES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
_NOTES: dict[str, pytest.StashKey[list[str]]] = {"llmval_goldens": GOLDEN_NOTES, "llmval_golden_answers": ANSWER_NOTES}
"""Attribute of the report for each kind of golden."""
KEPT = pytest.StashKey[bool]()
"""Whether unused goldens were not deleted."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep syrupy's own snapshots from taking golden answers, which lie beside theirs, for files that nobody uses."""
    if hasattr(config.option, "ignore_file_extensions"):
        ignored = config.option.ignore_file_extensions or []
        config.option.ignore_file_extensions = [*ignored, *({ANSWER_SUFFIX} - set(ignored))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put them on the report, which travels to the process that prints."""
    report = yield
    if call.when == "call":
        for attribute, key in _NOTES.items():
            notes = item.stash.get(key, None)
            if notes:
                setattr(report, attribute, list(notes))
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
    for note, count in _counted(terminalreporter, "llmval_goldens"):
        goldens = "1 golden" if count == 1 else f"{count} goldens"
        terminalreporter.write_line(
            f"{goldens} of another environment passed, under its wider tolerance ({note}); "
            f"pytest --snapshot-update adds goldens of this one"
        )
    for note, count in _counted(terminalreporter, "llmval_golden_answers"):
        goldens = "1 golden answer" if count == 1 else f"{count} golden answers"
        terminalreporter.write_line(
            f"{goldens} of another environment passed ({note}); golden(per_environment=True) keeps one for each"
        )


def _counted(terminalreporter: pytest.TerminalReporter, attribute: str) -> list[tuple[str, int]]:
    """Each note with the number of goldens it is of."""
    return sorted(Counter(_notes(terminalreporter, attribute)).items())


def _notes(terminalreporter: pytest.TerminalReporter, attribute: str) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            yield from getattr(report, attribute, ())
