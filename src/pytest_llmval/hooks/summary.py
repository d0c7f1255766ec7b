"""The run is told: manifest and summary files, JUnit properties, the table, the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmval.hooks.options import is_version_named
from pytest_llmval.hooks.tally import TALLY
from pytest_llmval.stash import LEDGER, is_worker, ledger_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.ledger import Ledger

STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
"""The run ended before all of its tests had."""


def pytest_report_header(config: pytest.Config) -> str | None:
    """One line, when a version is named."""
    if not is_version_named(config):
        return None
    from pytest_llmval.records.baseline import origin_text

    settings = settings_of(config)
    origin = origin_text(settings.baseline)
    against = f", compared with {settings.baseline.name}" if settings.baseline else ""
    against += f" ({origin})" if origin else ""
    return f"llmval: {settings.candidate.name if settings.candidate else '?'}{against}; run {settings.run_id}"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what the run leaves, before pytest writes its JUnit file, and settle the exit status."""
    config = session.config
    if is_worker(config):
        return
    ledger = ledger_of(config) if _ran_tests(config) else config.stash.get(LEDGER, None)
    status = _exit_status(session, ledger)
    if ledger is not None:
        tally = config.stash[TALLY]
        # -x and --maxfail stop without a status of their own, unless pytest-xdist sees to it.
        is_complete = session.exitstatus not in STOPPED and not session.shouldfail
        ledger.close(tally.outcomes, tally.failed_tests, status=status, is_complete=is_complete)
        _add_suite_properties(config, ledger)
        status = _status_without_reports(status, ledger)
    session.exitstatus = status


def _status_without_reports(status: int, ledger: Ledger) -> int:
    """A run whose reports are lost is not green, whoever reads them."""
    from pytest_llmval.reports.results import INFRASTRUCTURE_FAILED

    return INFRASTRUCTURE_FAILED if ledger.unwritten and status == pytest.ExitCode.OK else status


def _add_suite_properties(config: pytest.Config, ledger: Ledger) -> None:
    from _pytest.junitxml import xml_key

    from pytest_llmval.reports.junit import suite_properties

    xml = config.stash.get(xml_key, None)
    if xml is not None:
        for name, value in suite_properties(ledger.summary):
            xml.add_global_property(name, value)


def _exit_status(session: pytest.Session, ledger: Ledger | None) -> int:
    """Status of pytest; 75 when only infrastructure failed, 5 when a version was named and nothing came of it."""
    tally = session.config.stash[TALLY]
    status = int(session.exitstatus)
    if status == pytest.ExitCode.TESTS_FAILED and tally.only_infrastructure_failed:
        from pytest_llmval.reports.results import INFRASTRUCTURE_FAILED

        return INFRASTRUCTURE_FAILED
    has_gates = ledger is not None and bool(ledger.summary.gates)
    if status == pytest.ExitCode.OK and _ran_tests(session.config) and not (tally.has_results or has_gates):
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    return status


def _ran_tests(config: pytest.Config) -> bool:
    """Whether a version was named and this was no dry run, and no audit, which has a report of its own."""
    if not is_version_named(config) or config.option.collectonly or config.option.llmval_lock:
        return False
    settings = settings_of(config)
    return not (settings.plan or settings.audit_folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table when a gate ran, else one line a version; then where the summary is."""
    ledger = config.stash.get(LEDGER, None)
    if ledger is None:
        return
    from pytest_llmval.reports.terminal import asked_lines, summary_lines

    if ledger.summary.gates:
        terminalreporter.section(": ".join(filter(None, ("llmval", ledger.summary.against))))
        _write(terminalreporter, summary_lines(ledger.summary))
    else:
        _write(terminalreporter, (f"llmval: {line}" for line in asked_lines(ledger.summary)))
    prefix = "" if ledger.summary.gates else "llmval: "
    for path in ledger.written:
        terminalreporter.write_line(f"{prefix}summary: {_relative(path, config)}")
    for why in ledger.unwritten:
        terminalreporter.write_line(f"llmval: {why}", red=True)


def _write(terminalreporter: pytest.TerminalReporter, lines: Iterable[str]) -> None:
    encoding = getattr(terminalreporter._tw._file, "encoding", None) or "utf-8"  # noqa: SLF001 - no public way
    for line in lines:
        terminalreporter.write_line(line.encode(encoding, "backslashreplace").decode(encoding))


def _relative(path: object, config: pytest.Config) -> str:
    text, folder = str(path), str(config.invocation_params.dir)
    return text.removeprefix(folder).lstrip("/\\") if text.startswith(folder) else text
