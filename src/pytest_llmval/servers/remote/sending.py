"""Sender: how one attempt at a request goes to a server and what comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmval.servers.remote.faults import Unanswered

if TYPE_CHECKING:
    from pytest_llmval.servers.remote.payloads import Post


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came back from one attempt."""

    body: dict[str, Any]
    first_token_seconds: float | None = None
    """From sending the request to the first text; None where the answer came in one piece or has no text."""


class Watch:
    """The time since an attempt began, and whether it has lasted too long."""

    def __init__(self, longest: float) -> None:
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.longest = longest
        """Seconds that the attempt may last."""
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time since it began."""
        return time.perf_counter() - self._start

    def check(self) -> None:
        """Raise Unanswered when the time is over; a server that trickles would never time out between two bytes."""
        if self.seconds > self.longest:
            msg = f"the answer was not complete after {self.longest:g} s"
            raise Unanswered(msg)


class Sender(Protocol):
    """The connections to one server; safe among threads once it is open."""

    def open(self) -> None:
        """Make ready to send; calling it twice is harmless.

        Raises:
            ServerError: If the key, the address or a library cannot be used.
        """

    def send(self, post: Post, watch: Watch, *, streams: bool) -> Arrival:
        """Make one attempt; with `streams` the answer comes in pieces, so that the time of the first one is known.

        Raises:
            Unanswered: If there is no answer, and there may be one the next time.
            RequestRefused: If the server refuses this request.
            ServerError: If the server refuses all requests.
        """

    def place(self, post: Post) -> str:
        """Where a request goes, for messages, without secrets."""

    def cleaned(self, text: str) -> str:
        """A message without the key, which some servers repeat."""

    def revive(self) -> bool:
        """After a failed attempt: start the server anew if it is ours and died; whether that was done.

        Raises:
            ServerError: If it died too often.
        """

    def close(self) -> None:
        """Close the connections."""
