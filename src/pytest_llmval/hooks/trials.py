"""Repeated tests: each trial sets the test up anew, and all trials together give one verdict."""

from __future__ import annotations

from bdb import BdbQuit
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._io import TerminalWriter

from pytest_llmval.errors import CapabilityMissing, InvalidComparison, LlmvalError, ModelRegression, ServerError
from pytest_llmval.hooks.fixture_protocol import broke_set_up, set_up_fixtures, tear_down_fixtures
from pytest_llmval.hooks.trial_marker import repeats_of
from pytest_llmval.stash import TEST

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from _pytest._code.code import ExceptionRepr

    from pytest_llmval.current import TestInProgress
    from pytest_llmval.hooks.trial_marker import Repeats
    from pytest_llmval.verdicts.trials import Trial
    from pytest_llmval.verdicts.verdict import Verdict

LONGEST_REASON = 200

_FAILURES = (Exception, pytest.fail.Exception)
_NO_FAILURES = (
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.exit.Exception,
    BdbQuit,
    pytest.FixtureLookupError,
    CapabilityMissing,
)
"""What ends the whole test, as it does without trials."""


@dataclass
class Attempt:
    """The trials of one attempt at a test; a rerun makes another."""

    repeats: Repeats
    trials: list[Trial] = field(default_factory=list)
    set_up_error: BaseException | None = None
    """Why the first trial could not be set up."""
    last_error: BaseException | None = None
    """Why the last trial that did not pass did not."""
    last_number: int = 0
    """Its number."""
    raised: BaseException | None = None
    """What the test ended with."""


ATTEMPT: pytest.StashKey[Attempt] = pytest.StashKey()
STAYS = "__llmval_stays__"
"""Attribute of an error that pytest raises again for whoever asks for the fixture."""


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Mark what broke a fixture that several tests share: it says nothing of a trial."""
    try:
        return (yield)
    except Exception as error:
        if fixturedef.scope != "function":
            setattr(error, STAYS, True)
        raise


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """The first trial is set up as every test is; should that fail, it is a trial that failed."""
    repeats = repeats_of(item)
    if repeats is None or not isinstance(item, pytest.Function):
        return (yield)
    attempt = item.stash[ATTEMPT] = Attempt(repeats)
    item.stash[TEST].trial = 0
    try:
        return (yield)
    except _FAILURES as error:
        if _ends_the_test(error) or not broke_set_up(error, item):
            raise
        attempt.set_up_error = error


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """In place of running once, the test runs until it is decided."""
    attempt = item.stash.get(ATTEMPT, None)
    if attempt is None or not isinstance(item, pytest.Function):
        return (yield)
    run_once = item.runtest
    item.runtest = lambda: _run_trials(item, attempt, run_once)  # type: ignore[method-assign]
    try:
        return (yield)
    finally:
        del item.runtest


def _run_trials(item: pytest.Function, attempt: Attempt, run_once: Callable[[], None]) -> None:
    __tracebackhide__ = True
    from pytest_llmval.asserts import ALPHA, keep
    from pytest_llmval.verdicts.trials import TrialPlan, decide_trials, is_settled

    test, repeats = item.stash[TEST], attempt.repeats
    plan = TrialPlan(repeats.most_trials, repeats.min_pass_rate, ALPHA)
    while not is_settled(attempt.trials, plan):
        _add_trial(item, attempt, run_once)
    verdict = decide_trials(
        attempt.trials,
        planned=plan.planned,
        min_pass_rate=plan.min_pass_rate,
        alpha=plan.alpha,
        alike=len(attempt.trials) > 1 and test.varies is False,
    )
    attempt.raised = _failure(keep(verdict))
    if attempt.raised is not None:
        # With the traceback of the trial: there a debugger stops, and there reports say the failure is.
        where = attempt.last_error.__traceback__ if attempt.last_error else None
        raise attempt.raised.with_traceback(where) from attempt.last_error


def _add_trial(item: pytest.Function, attempt: Attempt, run_once: Callable[[], None]) -> None:
    """Run one trial. Of the verdicts within it only its end is kept: they are not the test's."""
    test, number = item.stash[TEST], len(attempt.trials)
    test.trial, test.varies = number, None
    try:
        error = _error_of_trial(item, attempt, run_once)
        trial = _judged(error, test)
    finally:
        test.verdicts.clear()
        test.unanswered.clear()
    attempt.trials.append(trial)
    if trial.reason:
        attempt.last_error, attempt.last_number = error, number + 1


def _error_of_trial(item: pytest.Function, attempt: Attempt, run_once: Callable[[], None]) -> BaseException | None:
    """Why a trial failed: in its set-up, in the test, or, when both went well, in its teardown; else None."""
    error = _error_of(lambda: set_up_fixtures(item)) if attempt.trials else attempt.set_up_error
    error = error or _error_of(run_once)
    has_passed = error is None
    # What fails after a failure mostly follows from it: a server that was lost may not count against the model.
    error_after = _error_of(lambda: tear_down_fixtures(item, passed=has_passed))
    return error or error_after


def _error_of(step: Callable[[], None]) -> BaseException | None:
    try:
        step()
    except _FAILURES as error:
        if _ends_the_test(error):
            raise
        return error
    return None


def _ends_the_test(error: BaseException) -> bool:
    """Whether an error says nothing of a trial: a skip, an exit, our own but no server's, one that stays in all."""
    from unittest import SkipTest

    is_ours = isinstance(error, LlmvalError) and not isinstance(error, ServerError)
    return is_ours or isinstance(error, (*_NO_FAILURES, SkipTest)) or hasattr(error, STAYS)


def _judged(error: BaseException | None, test: TestInProgress) -> Trial:
    """What a trial says. One in which a server failed or a gate was not decided says nothing."""
    from pytest_llmval.verdicts.trials import Result, Trial

    undecided = [verdict.headline for verdict in test.verdicts if verdict.outcome.value == "inconclusive"]
    if error is None:
        return Trial(Result.UNDECIDED, f"inconclusive: {undecided[0]}") if undecided else Trial(Result.PASSED)
    if isinstance(error, InvalidComparison):
        return Trial(Result.UNDECIDED, _in_one_line(error))
    if test.unanswered and not isinstance(error, ServerError):
        return Trial(Result.LOST, f"a request got no answer: {test.unanswered[0]}")
    return Trial(Result.LOST if isinstance(error, ServerError) else Result.FAILED, _in_one_line(error))


def _in_one_line(error: BaseException) -> str:
    from pytest_llmval.reports.safe_text import neutralise
    from pytest_llmval.verdicts.wording import shorten

    return shorten(neutralise(f"{type(error).__name__}: {error}"), LONGEST_REASON)


def _failure(verdict: Verdict) -> Exception | None:
    """What a verdict raises: an infrastructure error when trials were lost to it, None when it fails no test."""
    from pytest_llmval.asserts import describe

    if verdict.outcome.value == "regressed":
        return ModelRegression(describe(verdict))
    if verdict.outcome.value == "invalid":
        return (ServerError if verdict.counts.failed else InvalidComparison)(describe(verdict))
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the verdict first, and below it where the last trial failed."""
    report = yield
    attempt = item.stash.get(ATTEMPT, None) if call.when == "call" else None
    if attempt is not None:
        del item.stash[ATTEMPT]
        if report.failed and call.excinfo and call.excinfo.value is attempt.raised:
            report.longrepr = _representation(item, call.excinfo, attempt)
    return report


def _representation(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], attempt: Attempt) -> ExceptionRepr:
    shown = excinfo.getrepr(style="no", chain=False)
    if attempt.last_error is not None:
        title = f"trial {attempt.last_number}, the last that did not pass"
        shown.addsection(title, _text_of(attempt.last_error, item), "-")
    return shown


def _text_of(error: BaseException, item: pytest.Item) -> str:
    """The error as pytest would show it; of one of ours what is wrong, not the way through our code."""
    if isinstance(error, LlmvalError) and not item.config.option.fulltrace:
        return str(error)
    shown = item.repr_failure(pytest.ExceptionInfo.from_exception(error))
    if isinstance(shown, str):
        return shown
    file = StringIO()
    shown.toterminal(TerminalWriter(file))
    return file.getvalue().strip("\n")
