"""Calls made at the same time, their results in order."""

from __future__ import annotations

import functools
from concurrent.futures import FIRST_EXCEPTION, CancelledError, wait
from threading import Event
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.daemons import cancel_all, start_calls
from pytest_llmval.servers.remote.faults import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

LOOK_SECONDS = 0.5
"""Longest time until Ctrl-C is seen."""

T = TypeVar("T")
Gathered: TypeAlias = T | RequestRefused | Unanswered
"""What a call returned, or why it returned nothing."""


def gather(calls: Sequence[Callable[[], T]], at_once: int) -> list[Gathered[T]]:
    """What each call returned, in order, or why it returned nothing.

    A call that stays without an answer after others have got one fails alone. When it is the first to come back, the
    server is taken to be down, and the calls that have not begun are not made.

    Raises:
        ServerError: If the server is down or refuses all requests.
    """
    state = _State()
    made = [functools.partial(_outcome, call, state) for call in calls]
    futures: list[Future[Gathered[T]]] = start_calls(made, at_once, "llmval-remote")
    try:
        _wait_for_all_or_a_fault(futures)
    finally:
        cancel_all(futures)
    wait(futures)  # which Ctrl-C does not come to
    _raise_fault(futures)
    return [future.result() for future in futures]


def _wait_for_all_or_a_fault(futures: Sequence[Future[Gathered[T]]]) -> None:
    """Seldom awake: a thread that looks at each result as it comes takes turns from those that fetch them.

    But awake: a signal that comes just before an endless wait is seen after it.
    """
    while True:
        done, pending = wait(futures, LOOK_SECONDS, FIRST_EXCEPTION)
        if not pending or any(future.exception() for future in done):
            return


def _raise_fault(futures: Sequence[Future[Gathered[T]]]) -> None:
    """Raise what the first call that failed for all raised; those after it may have been cancelled."""
    for future in futures:
        if not future.cancelled() and not isinstance(future.exception(), CancelledError):
            future.result()


class _State:
    """What the calls that have come back say of the server."""

    def __init__(self) -> None:
        self.is_up = Event()
        self.is_down = Event()


def _outcome(call: Callable[[], T], state: _State) -> Gathered[T]:
    """What a call returned or why it returned nothing, which is raised while no other has got an answer."""
    if state.is_down.is_set():  # the pool begins the next call before anybody can cancel it
        raise CancelledError
    try:
        found: Gathered[T] = call()
    except RequestRefused as refusal:
        found = refusal
    except Unanswered as fault:
        if not state.is_up.is_set():
            state.is_down.set()
            raise
        return fault
    except BaseException:
        state.is_down.set()
        raise
    state.is_up.set()
    return found
