"""Transport: requests repeated as long as that may help and no longer, with leave of a limiter and of a budget."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.budget import Free, usage_in
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.limiter import Limiter, Limits, Outcome
from pytest_llmval.servers.remote.replies import expected_shape
from pytest_llmval.servers.remote.sending import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.servers.remote.budget import Account
    from pytest_llmval.servers.remote.limiter import Permit
    from pytest_llmval.servers.remote.payloads import Post
    from pytest_llmval.servers.remote.sending import Arrival, Sender

REST_SECONDS = 30.0
"""How long a server that gives no answer is left alone."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is insisted on. All times are seconds."""

    attempts: int = 6
    """How often it is sent at most, at least 1."""
    seconds: float = 300.0
    """Longest time until the last attempt begins, without the time for which the limiter gave no leave."""
    timeout: float = 120.0
    """Longest time of one attempt."""
    first_wait: float = 0.5
    """Wait after the first attempt; each later one is twice as long, all of them up to a half shorter by chance."""
    longest_wait: float = 30.0
    """Longest of these waits; the server may ask for a longer one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, and what it took."""

    body: dict[str, Any]
    """As without streaming, also when it came in pieces."""
    started_at: str
    """When the attempt began that was answered; ISO 8601, UTC."""
    seconds: float
    """Wall time of that attempt."""
    first_token_seconds: float | None
    """Of that, until the first text came; None without streaming or without text."""
    waited_seconds: float
    """Wall time before that attempt: for leave, for failed attempts and after them."""
    attempts: int
    """How often the request was sent."""
    cost: float | None = 0.0
    """US dollars; None where the price is not known."""


class Transport:
    """The way to one server; safe among threads."""

    def __init__(
        self,
        name: str,
        sender: Sender,
        *,
        limiter: Limiter | None = None,
        patience: Patience | None = None,
        account: Account | None = None,
        seed: int = 0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """A way that is opened on first need.

        Args:
            name: The version, for messages.
            sender: What makes each attempt.
            limiter: Whose leave each attempt needs; by default one of its own.
            patience: How long a request is insisted on.
            account: What pays for each attempt; by default nothing is to pay.
            seed: Seed of the random part of the waits.
            sleep: What waits between attempts, in seconds.
        """
        self._name = name
        self._sender = sender
        self.limiter = limiter or Limiter(Limits())
        self._patience = patience or Patience()
        self._account = account or Free()
        self._chance = random.Random(seed)  # noqa: S311 - spreads the attempts, guards nothing
        self._sleep = sleep
        self._is_closed = False
        self._gave_up: Unanswered | None = None
        """Why the last request was insisted on in vain; then the next ones are sent once, until one is answered."""
        self._gave_up_at = 0.0

    def open(self) -> None:
        """Make ready to ask; to be called before threads share the transport.

        Raises:
            ServerError: If the server cannot be asked at all.
        """
        self._sender.open()

    def post(self, post: Post, *, streams: bool = False, attempts: int | None = None) -> Reply:
        """The answer to a request.

        Args:
            post: What is asked.
            streams: Whether the answer is to come in pieces, so that the time of the first one is known.
            attempts: How often it is sent at most where the server is not just too busy; by default as patience says.

        Raises:
            RequestRefused: If the server refuses this request.
            Unanswered: If there is none, however often it was sent.
            BudgetSpent: If it might cost more than is left.
            ServerError: If the server refuses all requests.
        """
        self._refuse_soon_after_giving_up()
        start, held, attempt = time.perf_counter(), 0.0, 0
        while True:
            attempt += 1
            try:
                asked = time.perf_counter()
                permit = self.limiter.acquire(post.tokens)
                held += time.perf_counter() - asked
                self._refuse_after_the_end(permit)
                watch, arrival, cost = self._attempt(post, permit, streams=streams)
            except Unanswered as fault:
                self._clean(fault)
                # Waiting for leave is no fault of the server's, and may take minutes.
                passed = time.perf_counter() - start - held
                self._sleep(self._wait_after(post, attempt, passed, fault, attempts))
                continue
            except ServerError as fault:
                self._clean(fault)
                raise type(fault)(self._placed(post, str(fault))) from fault
            self._gave_up = None
            seconds = watch.seconds
            waited = time.perf_counter() - start - seconds
            return Reply(arrival.body, watch.started_at, seconds, arrival.first_token_seconds, waited, attempt, cost)

    def _refuse_soon_after_giving_up(self) -> None:
        """Raise Unanswered for a while after the server was found down: a test each would wait as long as the first."""
        passed = time.perf_counter() - self._gave_up_at
        if self._gave_up is not None and passed < REST_SECONDS:
            msg = f"{self._gave_up} ({passed:.0f} s ago; not asked again before {REST_SECONDS:.0f} s)"
            raise Unanswered(msg)

    def _refuse_after_the_end(self, permit: Permit) -> None:
        """Raise ServerError when the transport was closed meanwhile: threads outlive a Ctrl-C."""
        if self._is_closed:
            self.limiter.release(permit, Outcome("failed"))
            msg = "the run is over"
            raise ServerError(msg)

    def _wait_after(self, post: Post, attempt: int, passed: float, fault: Unanswered, attempts: int | None) -> float:
        """Seconds until the next attempt.

        Raises:
            Unanswered: If there is to be none.
            ServerError: If the server is ours and died too often.
        """
        patience = self._patience
        most = patience.attempts if attempts is None or fault.throttled else attempts
        most = 1 if self._gave_up else most
        if attempt < most and not self._is_closed and self._sender.revive():
            return 0.0
        growing = min(patience.longest_wait, patience.first_wait * 2.0 ** (attempt - 1))
        wait = max(growing * (1 - self._chance.random() / 2), fault.retry_after or 0.0)
        if attempt < most and passed + wait <= patience.seconds and not self._is_closed:
            return wait
        why = f"no answer after {attempt} attempt{'s' * (attempt > 1)} in {passed:.1f} s"
        if attempt < most and not self._is_closed:
            why += f", and the next one would come {wait:.0f} s later, past the {patience.seconds:g} s that are allowed"
        given_up = Unanswered(self._placed(post, f"{why}; the last one: {fault}"))
        if attempts is None:
            self._gave_up, self._gave_up_at = given_up, time.perf_counter()
        raise given_up from fault

    def _attempt(self, post: Post, permit: Permit, *, streams: bool) -> tuple[Watch, Arrival, float | None]:
        outcome = Outcome("failed")
        try:
            with self._account.bill(post) as bill:
                watch = Watch(self._patience.timeout)
                arrival = self._sender.send(post, watch, streams=streams)
                with expected_shape(arrival.body):
                    bill.usage = usage_in(arrival.body)
            outcome = Outcome("answered", bill.usage.total if bill.usage else None)
        except Unanswered as fault:
            if fault.throttled:
                outcome = Outcome("throttled", retry_after=self._bearable(fault.retry_after))
            raise
        finally:
            self.limiter.release(permit, outcome)
        return watch, arrival, bill.cost

    def _bearable(self, retry_after: float | None) -> float:
        """Seconds for which everybody waits; nobody does for a server that asks for longer than is allowed."""
        wait = retry_after or 0.0
        return wait if wait <= self._patience.seconds else 0.0

    def _clean(self, fault: ServerError) -> None:
        """Take the key out of what the server said: a traceback shows the cause as well."""
        fault.args = (self._sender.cleaned(str(fault)),)

    def _placed(self, post: Post, text: str) -> str:
        return f"version {self._name!r}: {self._sender.place(post)}: {text}"

    def close(self) -> None:
        """Close the connections for good: threads that are still asking get no answer more."""
        self._is_closed = True
        self._sender.close()
