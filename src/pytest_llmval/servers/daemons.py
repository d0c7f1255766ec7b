"""Calls in threads that nobody waits for when the process ends: after Ctrl-C a server may take minutes to answer."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def start_calls(calls: Sequence[Callable[[], T]], at_once: int, name: str) -> list[Future[T]]:
    """A future for each call, in order; so many are made at a time, those first that come first.

    The threads of `concurrent.futures` are waited for at the end of the process, whatever they do; these are not.
    """
    futures: list[Future[T]] = [Future() for _ in calls]
    waiting = deque(zip(futures, calls, strict=True))
    for _ in range(max(1, min(at_once, len(calls)))):
        Thread(target=_work, args=(waiting,), name=name, daemon=True).start()
    return futures


def _work(waiting: deque[tuple[Future[T], Callable[[], T]]]) -> None:
    while waiting:
        try:
            future, call = waiting.popleft()
        except IndexError:  # another thread took it
            return
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result is told
            future.set_exception(error)


def cancel_all(futures: Sequence[Future[T]]) -> None:
    """Begin none that has not begun."""
    for future in futures:
        future.cancel()
