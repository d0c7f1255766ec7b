"""The limiter by a clock that moves when somebody waits."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.remote.limiter import Limiter, Limits, Outcome

ANSWERED, THROTTLED = Outcome("answered"), Outcome("throttled")


class Clock:
    """Seconds that pass by waiting alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now

    def wait(self, _: threading.Condition, seconds: float) -> None:
        """Let the time pass; a test in one thread must never wait for itself."""
        assert 0 < seconds < float("inf")
        self.now += seconds


def limited(clock: Clock, **limits: int) -> Limiter:
    """A limiter by this clock."""
    return Limiter(Limits(**limits), clock, clock.wait)


# Eighths of a second are exact in binary, so that 60 seconds are 60 seconds.
seconds = st.integers(0, 720).map(lambda eighths: eighths / 8)
steps = st.lists(
    st.tuples(
        st.integers(0, 50),  # tokens reserved
        seconds,  # seconds that pass before
        st.sampled_from(["answered", "throttled", "failed"]),
        st.floats(0, 1),  # share of the tokens used
        st.booleans(),  # whether the oldest request that runs ends before
        seconds,  # Retry-After of a throttled one
    ),
    max_size=40,
)


@given(steps, st.integers(1, 6), st.integers(50, 120), st.integers(1, 5))
def test_no_window_of_a_minute_has_more_than_the_limits(steps, requests, tokens, concurrency):
    """Whatever happens, requests and tokens of any 60 seconds, and requests at a time, stay within their limits."""
    clock = Clock()
    limiter = limited(clock, requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency)
    running, begun, closed_until = [], [], 0.0

    for reserved, pause, kind, share, ends, retry_after in steps:
        clock.now += pause
        ending = max(len(running) - limiter.allowed + 1, int(ends and bool(running)))
        while ending > 0:
            asked_to_wait = retry_after if kind == "throttled" else 0.0
            closed_until = max(closed_until, clock.now + asked_to_wait)
            permit = running.pop(0)
            limiter.release(permit, Outcome(kind, int(permit.tokens * share), asked_to_wait))
            ending = max(ending - 1, len(running) - limiter.allowed + 1)
        permit = limiter.acquire(reserved)
        assert clock.now >= closed_until
        running.append(permit)
        begun.append(permit)

        window = [each for each in begun if each.taken_at > clock.now - 60]
        assert len(window) <= requests
        assert sum(each.tokens for each in window) <= tokens
        assert len(running) <= limiter.allowed <= concurrency
        assert limiter.allowed >= 1


def test_a_request_begins_when_the_oldest_leaves_the_window():
    """Two a minute: the third begins 60 seconds after the first, not after the second."""
    clock = Clock()
    limiter = limited(clock, requests_per_minute=2)

    begun = []
    for _ in range(3):
        begun.append(limiter.acquire().taken_at - 1000)
        clock.now += 10

    assert begun == [0, 10, 60]


def test_tokens_that_were_not_used_are_given_back():
    """Of 100 a minute 80 were reserved and 10 used, so that 90 more may begin at once."""
    clock = Clock()
    limiter = limited(clock, tokens_per_minute=100)
    limiter.release(limiter.acquire(80), Outcome("answered", tokens=10))

    assert limiter.acquire(90).taken_at == 1000


def test_the_concurrency_is_halved_once_for_all_that_were_under_way():
    """Of 8 under way three are throttled: 4 are allowed, not 1; a later one throttled halves again."""
    limiter = limited(Clock(), concurrency=8)
    permits = [limiter.acquire() for _ in range(8)]

    for permit in permits[:3]:
        limiter.release(permit, THROTTLED)
    assert limiter.allowed == 4
    for permit in permits[3:]:
        limiter.release(permit, ANSWERED)
    limiter.release(limiter.acquire(), THROTTLED)

    # Five answers in a row have made it 5 meanwhile: 4 of them for the fifth place; 5 // 2 is 2.
    assert limiter.allowed == 2


def test_the_concurrency_grows_back_by_one_each_round():
    """From 2 to 4 it takes 2 and then 3 answers in a row; beyond the limit it never grows."""
    limiter = limited(Clock(), concurrency=4)
    limiter.release(limiter.acquire(), THROTTLED)

    allowed = []
    for _ in range(9):
        limiter.release(limiter.acquire(), ANSWERED)
        allowed.append(limiter.allowed)

    assert allowed == [2, 3, 3, 3, 4, 4, 4, 4, 4]


def test_a_request_above_the_limit_of_tokens_is_refused():
    """It could never begin; the message says its size and the limit."""
    with pytest.raises(RequestRefused, match=r"^the request may take 101 tokens; tokens_per_minute = 100 allows no"):
        limited(Clock(), tokens_per_minute=100).acquire(101)


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute", "concurrency"])
def test_limits_below_one_are_refused(name):
    """Under them nothing could be asked."""
    with pytest.raises(ValueError, match=rf"^{name}=0: expected a whole number of at least 1$"):
        Limits(**{name: 0})


def test_threads_wait_for_each_other():
    """With real threads and the real clock three requests at a time are under way, never more, and all are done."""
    limiter, lock = Limiter(Limits(concurrency=3)), threading.Lock()
    running, most, done = 0, 0, 0

    def work() -> None:
        nonlocal running, most, done
        for _ in range(20):
            permit = limiter.acquire()
            with lock:
                running += 1
                most = max(most, running)
            with lock:
                running -= 1
                done += 1
            limiter.release(permit, ANSWERED)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert done == 160
    assert most <= 3
