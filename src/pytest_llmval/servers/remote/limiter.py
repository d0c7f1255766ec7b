"""Limiter: how much of a remote server is used at a time, by requests, tokens and concurrency."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Literal

from pytest_llmval.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 60.0
DEFAULT_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may be asked at most.

    Raises:
        ValueError: If a limit is below 1.
    """

    requests_per_minute: int | None = None
    """Requests begun in any 60 seconds, repeated ones included; None for no limit."""
    tokens_per_minute: int | None = None
    """Tokens of those requests, prompt and answer; None for no limit."""
    concurrency: int = DEFAULT_CONCURRENCY
    """Requests under way at a time."""

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could be asked."""
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name}={value!r}: expected a whole number of at least 1"
                raise ValueError(msg)


@dataclass(slots=True)
class Permit:
    """Leave for one request."""

    number: int
    """Counts up from 1."""
    taken_at: float
    tokens: int
    """Reserved at first, used once the answer says how many."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request went for which there was leave."""

    kind: Literal["answered", "throttled", "failed"]
    tokens: int | None = None
    """Tokens it used; None where nobody knows, so that those reserved count."""
    retry_after: float = 0.0
    """Seconds the server wants to be left alone."""


class Limiter:
    """Gives leave for requests, one object for everybody who asks the same server; safe among threads.

    Half as many requests are allowed at a time whenever the server says that they are too many, and one more each
    time that as many as are allowed have been answered in a row.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Condition, float], object] | None = None,
    ) -> None:
        """A limiter by a clock in seconds; `wait` is called with the lock held and the seconds to wait, perhaps inf."""
        self.limits = limits
        self.allowed = limits.concurrency
        """Requests that may be under way at a time now, at least 1."""
        self._clock = clock
        self._wait = wait or _wait
        self._changed = Condition()
        self._recent: deque[Permit] = deque()
        """Begun within the window, oldest first."""
        self._running = 0
        self._given = 0
        self._reduced_at = 0
        """Number of the last permit that was given before the concurrency was halved."""
        self._row = 0
        """Requests answered in a row since it changed."""
        self._closed_until = -math.inf

    def acquire(self, tokens: int = 0) -> Permit:
        """Leave for a request of at most so many tokens, as soon as there is room for it.

        Raises:
            RequestRefused: If it has more tokens than are allowed in a minute.
        """
        most = self.limits.tokens_per_minute
        if most is not None and tokens > most:
            msg = f"the request may take {tokens} tokens; tokens_per_minute = {most} allows no request of that size"
            raise RequestRefused(msg)
        with self._changed:
            while (seconds := self._delay(tokens)) > 0:
                self._wait(self._changed, seconds)
            return self._give(tokens)

    def _give(self, tokens: int) -> Permit:
        self._given += 1
        self._running += 1
        permit = Permit(self._given, self._clock(), tokens)
        self._recent.append(permit)
        return permit

    def _delay(self, tokens: int) -> float:
        """Seconds until a request may begin for all that is known now; infinite when another one has to end first."""
        now = self._clock()
        while self._recent and self._recent[0].taken_at + WINDOW_SECONDS <= now:
            self._recent.popleft()
        if self._running >= self.allowed:
            return math.inf
        return max(0.0, self._closed_until - now, self._request_delay(now), self._token_delay(tokens, now))

    def _request_delay(self, now: float) -> float:
        most = self.limits.requests_per_minute
        if most is None or len(self._recent) < most:
            return 0.0
        return self._recent[len(self._recent) - most].taken_at + WINDOW_SECONDS - now

    def _token_delay(self, tokens: int, now: float) -> float:
        most = self.limits.tokens_per_minute
        if most is None:
            return 0.0
        excess = sum(permit.tokens for permit in self._recent) + tokens - most
        delay = 0.0
        for permit in self._recent:
            if excess <= 0:
                break
            excess -= permit.tokens
            delay = permit.taken_at + WINDOW_SECONDS - now
        return delay

    def release(self, permit: Permit, outcome: Outcome) -> None:
        """Say how a request went; each permit once."""
        with self._changed:
            self._running -= 1
            if outcome.tokens is not None:
                permit.tokens = outcome.tokens
            self._closed_until = max(self._closed_until, self._clock() + outcome.retry_after)
            self._adapt(permit, outcome)
            self._changed.notify_all()

    def _adapt(self, permit: Permit, outcome: Outcome) -> None:
        if outcome.kind == "throttled":
            self._row = 0
            # Requests that were under way when it was halved say nothing about the half.
            if permit.number > self._reduced_at:
                self.allowed, self._reduced_at = max(1, self.allowed // 2), self._given
        elif outcome.kind == "answered":
            self._row += 1
            if self._row >= self.allowed and self.allowed < self.limits.concurrency:
                self.allowed, self._row = self.allowed + 1, 0


def _wait(changed: Condition, seconds: float) -> None:
    changed.wait(None if seconds == math.inf else seconds)
