"""The report of `llmval check`: one line a check as it ends, in place of pytest's own terminal report."""

from __future__ import annotations

import re
import sys
import textwrap
import time
from collections import Counter

import pytest

from pytest_llmval.contracts.profiles import TITLE

_WORDS = {"passed": "ok", "skipped": "skipped", "failed": "FAILED", "error": "ERROR"}
_NAME_WIDTH = 42
_LINE_WIDTH = 110
_INDENT = " " * 11


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the place of the terminal report, which is there by now."""
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(CheckReport(), "llmval-check-report")


class CheckReport:
    """Writes what the contracts found."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._contract = ""
        self._counts: Counter[str] = Counter()
        self._problems: dict[str, str] = {}
        """Whole messages of what failed, to the check where each came first."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say why checks could not be collected."""
        if report.failed:
            self._take("error", report.nodeid, report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One line a check, when it was called or never came to that; and the profile that it told."""
        if report.when == "call" or not report.passed:
            *_, contract, check = map(_spoken, report.nodeid.split("::"))
            self._begin(contract)
            self._take(_outcome(report), check, _reason(report))
            if report.when == "call":
                _write(*_profile(report.capstdout))

    def pytest_sessionfinish(self) -> None:
        """Whole messages of what failed, and the counts."""
        for message, check in self._problems.items():
            _write("", check, *(f"  {line}" for line in message.splitlines()))
        counts = [f"{self._counts[each]} {word}" for each, word in _WORDS.items() if self._counts[each]]
        _write("", f"{', '.join(counts) or 'nothing was checked'} in {time.monotonic() - self._started:.1f} s")

    def _begin(self, contract: str) -> None:
        """Name the contract before its first check."""
        if contract != self._contract:
            _write(*([""] if self._contract else []), contract)
            self._contract = contract

    def _take(self, outcome: str, check: str, reason: str) -> None:
        self._counts[outcome] += 1
        if outcome in ("failed", "error"):
            self._problems.setdefault(reason, f"{_WORDS[outcome]} {self._contract}: {check}")
        first = reason.partition("\n")[0]
        _write(f"  {_WORDS[outcome]:8} {check:{_NAME_WIDTH}} {first}".rstrip())


def _spoken(name: str) -> str:
    """Name of a test or of its class as words.

    >>> _spoken("test_weights_are_finite"), _spoken("TestChatTemplate")
    ('weights are finite', 'chat template')
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
    return words.removeprefix("test ")


def _outcome(report: pytest.TestReport) -> str:
    return "error" if report.failed and report.when != "call" else report.outcome


def _reason(report: pytest.TestReport) -> str:
    """Why a test was skipped or failed; empty when it passed."""
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext


def _profile(printed: str) -> list[str]:
    """The lines of a profile in what a test printed."""
    lines = printed.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith(TITLE)]
    return [wrapped for line in lines[starts[0] :] for wrapped in _wrapped(line)] if starts else []


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _LINE_WIDTH, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}    ")


def _write(*lines: str) -> None:
    """Write at once, whatever the encoding of the output: checks take their time."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()
