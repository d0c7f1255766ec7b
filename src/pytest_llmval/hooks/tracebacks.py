"""An error that this package raised on purpose is shown where the test met it, without the way through our code."""

from __future__ import annotations

import linecache
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from types import FrameType

PACKAGE = "pytest_llmval"
TESTS = "pytest_llmval.contracts"
"""Modules of ours whose frames are tests."""


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Cut the frames, and what the error was made of; `--full-trace` shows all."""
    if call.excinfo is not None and not item.config.option.fulltrace:
        call.excinfo = _without_our_frames(call.excinfo, str(item.path))
    return (yield)


def _without_our_frames(excinfo: pytest.ExceptionInfo[BaseException], test: str) -> pytest.ExceptionInfo[BaseException]:
    links = list(_links(excinfo.value.__traceback__))
    left = [link for link in links if not _is_ours(link.tb_frame)]
    if not links or not _is_raised_by_us(links[-1]) or all(link.tb_frame.f_code.co_filename != test for link in left):
        return excinfo
    error = excinfo.value.with_traceback(_chained(left))
    error.__suppress_context__, error.__cause__ = True, None
    return pytest.ExceptionInfo.from_exception(error)


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _chained(links: Iterable[TracebackType]) -> TracebackType | None:
    first = None
    for link in reversed(list(links)):
        first = TracebackType(first, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return first


def _is_raised_by_us(link: TracebackType) -> bool:
    line = linecache.getline(link.tb_frame.f_code.co_filename, link.tb_lineno)
    return _is_ours(link.tb_frame) and line.lstrip().startswith("raise ")


def _is_ours(frame: FrameType) -> bool:
    """Whether it runs code of this package; that of generated methods has no file."""
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] == PACKAGE and not name.startswith(TESTS)
