"""Transport: requests over HTTP, repeated as long as that may help and no longer."""

from __future__ import annotations

import functools
import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.endpoint import HIDDEN, api_key, shown_url
from pytest_llmval.servers.remote.faults import Unanswered, fault_of
from pytest_llmval.servers.remote.limiter import Limiter, Limits, Outcome
from pytest_llmval.servers.remote.streaming import Pieces, events

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.limiter import Permit

    Read = Callable[[httpx.Response, "Watch"], "Arrival"]

OK = 200


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
class Arrival:
    """What came back from one attempt."""

    body: dict[str, Any]
    first_token_seconds: float | None = None
    """From sending the request to the first text; None where the answer came in one piece or has no text."""


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


class Watch:
    """The time since an attempt began, and whether it has lasted too long."""

    def __init__(self, longest: float) -> None:
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._longest = longest
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time since it began."""
        return time.perf_counter() - self._start

    def check(self) -> None:
        """Raise Unanswered when the time is over; a server that trickles would never time out between two bytes."""
        if self.seconds > self._longest:
            msg = f"the answer was not complete after {self._longest:g} s"
            raise Unanswered(msg)


class Transport:
    """The connections to one server; safe among threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limiter: Limiter | None = None,
        patience: Patience | None = None,
        seed: int = 0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Connections that are made on first need.

        Args:
            endpoint: The server.
            limiter: Whose leave each attempt needs; by default one of its own.
            patience: How long a request is insisted on.
            seed: Seed of the random part of the waits.
            sleep: What waits between attempts, in seconds.
        """
        self.endpoint = endpoint
        self.limiter = limiter or Limiter(Limits())
        self._patience = patience or Patience()
        self._chance = random.Random(seed)  # noqa: S311 - spreads the attempts, guards nothing
        self._sleep = sleep
        self._is_closed = False
        self._gave_up = False
        """Whether the last request was insisted on in vain; then the next ones are sent once, until one is answered."""

    @functools.cached_property
    def _key(self) -> str:
        return api_key(self.endpoint)

    @functools.cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        most = httpx.Limits(max_connections=None, max_keepalive_connections=self.limiter.limits.concurrency)
        return httpx.Client(headers=headers, timeout=self._patience.timeout, limits=most)

    def open(self) -> None:
        """Make ready to ask; to be called before threads share the transport.

        Raises:
            ServerError: If the key or the URL cannot be used.
        """
        if not self.endpoint.url.startswith(("http://", "https://")):
            msg = f"version {self.endpoint.name!r}: url = {self.endpoint.url!r}; expected http://… or https://…"
            raise ServerError(msg)
        _ = self._client
        self._is_closed = False

    def post(self, path: str, payload: dict[str, Any], tokens: int = 0) -> Reply:
        """The answer to a request, in one piece.

        Args:
            path: Where below the base URL, without a slash in front.
            payload: JSON values.
            tokens: Most tokens it may take, prompt and answer, for the limit of tokens.

        Raises:
            RequestRefused: If the server refuses this request.
            Unanswered: If there is none, however often it was sent.
            ServerError: If the server refuses all requests.
        """
        return self._insist(path, payload, tokens, _read_whole)

    def stream(self, path: str, payload: dict[str, Any], tokens: int = 0) -> Reply:
        """As `post`, but the answer comes in pieces, so that the time of the first one is known."""
        asked = payload | {"stream": True, "stream_options": {"include_usage": True}}
        return self._insist(path, asked, tokens, _read_pieces)

    def close(self) -> None:
        """Close the connections and begin no attempt more; `open` makes others."""
        self._is_closed = True
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def _insist(self, path: str, payload: dict[str, Any], tokens: int, read: Read) -> Reply:
        start, held, attempt = time.perf_counter(), 0.0, 0
        while True:
            attempt += 1
            try:
                asked = time.perf_counter()
                permit = self.limiter.acquire(tokens)
                held += time.perf_counter() - asked
                watch, arrival = self._attempt(path, payload, permit, read)
            except Unanswered as fault:
                # Waiting for leave is no fault of the server's, and may take minutes.
                self._sleep(self._wait_after(path, attempt, time.perf_counter() - start - held, fault))
                continue
            except ServerError as fault:
                raise type(fault)(self._placed(path, str(fault))) from fault
            self._gave_up = False
            seconds = watch.seconds
            waited = time.perf_counter() - start - seconds
            return Reply(arrival.body, watch.started_at, seconds, arrival.first_token_seconds, waited, attempt)

    def _wait_after(self, path: str, attempt: int, passed: float, fault: Unanswered) -> float:
        """Seconds until the next attempt.

        Raises:
            Unanswered: If there is to be none.
        """
        patience, most = self._patience, 1 if self._gave_up else self._patience.attempts
        growing = min(patience.longest_wait, patience.first_wait * 2.0 ** (attempt - 1))
        wait = max(growing * (1 - self._chance.random() / 2), fault.retry_after or 0.0)
        if attempt < most and passed + wait <= patience.seconds and not self._is_closed:
            return wait
        self._gave_up = True
        why = f"no answer after {attempt} attempt{'s' * (attempt > 1)} in {passed:.1f} s"
        if attempt < most and not self._is_closed:
            why += f", and the next one would come {wait:.0f} s later, past the {patience.seconds:g} s that are allowed"
        raise Unanswered(self._placed(path, f"{why}; the last one: {fault}")) from fault

    def _attempt(self, path: str, payload: dict[str, Any], permit: Permit, read: Read) -> tuple[Watch, Arrival]:
        outcome = Outcome("failed")
        try:
            watch = Watch(self._patience.timeout)
            arrival = self._send(path, payload, read, watch)
            outcome = Outcome("answered", _tokens_of(arrival.body))
        except Unanswered as fault:
            if fault.throttled:
                outcome = Outcome("throttled", retry_after=self._bearable(fault.retry_after))
            raise
        finally:
            self.limiter.release(permit, outcome)
        return watch, arrival

    def _bearable(self, retry_after: float | None) -> float:
        """Seconds for which everybody waits; nobody does for a server that asks for longer than is allowed."""
        wait = retry_after or 0.0
        return wait if wait <= self._patience.seconds else 0.0

    def _send(self, path: str, payload: dict[str, Any], read: Read, watch: Watch) -> Arrival:
        url = f"{self.endpoint.url.rstrip('/')}/{path}"
        try:
            with self._client.stream("POST", url, json=payload) as response:
                if response.status_code != OK:
                    response.read()
                    raise fault_of(self.endpoint, response.status_code, response.headers, response.text)
                return read(response, watch)
        except httpx.InvalidURL as error:
            msg = f"url = {shown_url(self.endpoint.url)!r} is none: {error}"
            raise ServerError(msg) from error
        except httpx.TimeoutException as error:
            msg = f"no answer within {self._patience.timeout:g} s ({type(error).__name__})"
            raise Unanswered(msg) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            msg = f"{type(error).__name__}: {error}"
            raise Unanswered(msg) from error

    def _placed(self, path: str, text: str) -> str:
        """A message with its place and without the key, which some servers repeat."""
        whole = f"version {self.endpoint.name!r}: {shown_url(self.endpoint.url)}/{path}: {text}"
        return whole.replace(self._key, HIDDEN) if self._key else whole


def _read_whole(response: httpx.Response, watch: Watch) -> Arrival:
    chunks = []
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        watch.check()
    text = b"".join(chunks).decode("utf-8", errors="replace")
    try:
        body = json.loads(text)
    except ValueError as error:
        msg = f"the answer is not JSON: {text[:80]!r}"
        raise Unanswered(msg) from error
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list) or not body["choices"]:
        msg = f"the answer has no choices: {text[:200]!r}"
        raise Unanswered(msg)
    return Arrival(body)


def _read_pieces(response: httpx.Response, watch: Watch) -> Arrival:
    pieces, first = Pieces(), None
    for event in events(response.iter_lines()):
        pieces.add(event)
        if first is None and pieces.has_text:
            first = watch.seconds
        watch.check()
    if not pieces.is_whole:
        msg = "the answer broke off before its end"
        raise Unanswered(msg)
    return Arrival(pieces.body, first)


def _tokens_of(body: dict[str, Any]) -> int | None:
    usage = body.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else None
