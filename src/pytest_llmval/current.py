"""The test and the run in progress, so that a gate called anywhere in a test knows where its verdict belongs."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.run import Run
    from pytest_llmval.verdicts.verdict import Verdict


def new_run_id() -> str:
    """A name for a run that sorts by time and that no other run has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@dataclass
class TestInProgress:
    """The test that runs now, and the verdicts of its gates so far."""

    __test__ = False

    nodeid: str
    gates_in_run: int = 1
    """Items of the run that compare with a baseline: the family over which *regressed* is corrected."""
    verdicts: list[Verdict] = field(default_factory=list)
    get_run: Callable[[], Run | None] = lambda: None
    """Gives the run, once a fixture of the test has made it."""
    item: Any = None
    """pytest's own object for the test."""
    trial: int | None = None
    """Number of the trial that runs now, from 0, in a test that is repeated; None in any other."""
    unanswered: list[str] = field(default_factory=list)
    """Why requests got no answer, for those of this trial that did not."""
    varies: bool | None = None
    """Whether any request of this trial may be answered otherwise in another; None before the first request."""

    def note_request(self, *, varies: bool) -> None:
        """Take note of a request that is sampled anew in each trial, or is always the same."""
        self.varies = bool(self.varies) or varies


_CURRENT_TEST: ContextVar[TestInProgress | None] = ContextVar("llmval_current_test", default=None)


def current_test() -> TestInProgress | None:
    """The test that runs now, None outside pytest."""
    return _CURRENT_TEST.get()


def current_run() -> Run | None:
    """The run of the test that runs now, None where no test asked for a model."""
    test = current_test()
    return test.get_run() if test else None


@contextmanager
def in_progress(test: TestInProgress) -> Iterator[None]:
    """While this holds, gates report to `test`."""
    token = _CURRENT_TEST.set(test)
    try:
        yield
    finally:
        _CURRENT_TEST.reset(token)
