"""Calls at the same time: order, faults, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from pytest_llmval.errors import RequestRefused, ServerError
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.gathering import gather


def raising(error):
    """A call that raises."""

    def call():
        raise error

    return call


def test_results_are_in_order_whoever_ends_first():
    """The first call ends last."""
    second = threading.Event()

    def first() -> str:
        assert second.wait(5)
        return "first"

    def other() -> str:
        second.set()
        return "second"

    assert gather([first, other], 2) == ["first", "second"]


def test_no_call_gives_no_result():
    """And no thread."""
    assert gather([], 0) == []


def test_a_refusal_is_a_sign_of_life():
    """A server that refuses one request is up, so that another without an answer fails alone."""
    refusal, silence = RequestRefused("too long"), Unanswered("nothing")

    assert gather([raising(refusal), raising(silence), lambda: 3], 1) == [refusal, silence, 3]


@pytest.mark.parametrize("error", [Unanswered("nothing"), ServerError("the key is wrong")])
def test_calls_that_have_not_begun_are_not_made_any_more(error):
    """One at a time: after the first fault at most the next one begins before it is seen."""
    made = []

    def slow() -> None:
        made.append(1)
        time.sleep(0.2)

    with pytest.raises(ServerError, match=str(error)):
        gather([raising(error), *[slow] * 20], 1)
    assert len(made) <= 1


@pytest.fixture
def _listening():
    """Ctrl-C is heard, also where whoever runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_listening")
def test_ctrl_c_does_not_wait_for_the_server():
    """The call that is under way goes on without us."""
    answer, began = threading.Event(), threading.Event()

    def ask() -> None:
        began.set()
        answer.wait(20)

    def interrupt() -> None:
        began.wait(5)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            gather([ask], 1)
        assert time.perf_counter() - start < 5
    finally:
        answer.set()
