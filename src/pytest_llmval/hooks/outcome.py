"""Verdicts become the outcome of their test, and travel with its reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionRepr

from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.errors import CapabilityMissing, LlmvalError, ServerError, StoreUnwritable
from pytest_llmval.stash import GATES, RUN, TEST, settings_of, skip

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_llmval.verdicts.verdict import Verdict


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Each attempt at a test starts without verdicts. A capability that the server lacks skips the test."""
    config = item.config
    item.stash[TEST] = TestInProgress(
        item.nodeid, config.stash.get(GATES, 1), get_run=lambda: config.stash.get(RUN, None), item=item
    )
    yield from _watched(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that passed but whose gate is inconclusive is skipped with the reason, or fails under --llmval-strict."""
    yield from _watched(item)
    undecided = [verdict for verdict in item.stash[TEST].verdicts if verdict.outcome.value == "inconclusive"]
    if undecided:
        _report_undecided(item, undecided)


def _watched(item: pytest.Item) -> Generator[None, None, None]:
    with in_progress(item.stash[TEST]):
        try:
            yield
        except CapabilityMissing as error:
            skip(str(error))


def _report_undecided(item: pytest.Item, undecided: list[Verdict]) -> None:
    from pytest_llmval.asserts import describe

    reason = "; ".join("inconclusive: " + describe(verdict).replace("\n", ": ") for verdict in undecided)
    if settings_of(item.config).strict:
        pytest.fail(f"{reason} (--llmval-strict)", pytrace=False)
    skip(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put events, verdicts and the worst cases of failed gates on the report."""
    report = yield
    if call.when == "setup" and call.excinfo and call.excinfo.errisinstance(LlmvalError):
        _say_only_what_is_wrong(report, call.excinfo, item.config)
    run = item.config.stash.get(RUN, None)
    events = run.take_events() if run else []
    if call.when == "call" and TEST in item.stash:
        verdicts = item.stash[TEST].verdicts
        events += [_event(verdict) for verdict in verdicts]
        _add_worst_cases(report, verdicts)
    infrastructure = call.excinfo is not None and call.excinfo.errisinstance((ServerError, StoreUnwritable))
    if events or infrastructure:
        # JSON values only: under xdist the report is sent to the controller.
        report.llmval = json.loads(json.dumps({"events": events, "infrastructure": infrastructure}))  # type: ignore[attr-defined]
    return report


def _say_only_what_is_wrong(
    report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config
) -> None:
    """A fixture of ours failed on purpose: the way through our code is no news, unless it is asked for."""
    if not config.option.fulltrace:
        report.longrepr = excinfo.getrepr(style="value", chain=False)


def _event(verdict: Verdict) -> dict[str, Any]:
    from pytest_llmval.verdicts.evidence import verdict_to_dict

    return {"event": "verdict", "verdict": verdict_to_dict(verdict)}


def _add_worst_cases(report: pytest.TestReport, verdicts: list[Verdict]) -> None:
    """Sections below the failure; pytest writes them to the terminal and to JUnit."""
    if not report.failed or not isinstance(report.longrepr, ExceptionRepr):
        return
    from pytest_llmval.reports.failure import worst_cases

    for verdict in verdicts:
        if not verdict.passed:
            for title, text in worst_cases(verdict):
                report.longrepr.addsection(title, text, "-")
