"""HttpSender: JSON over HTTP, in one piece or as server-sent events."""

from __future__ import annotations

import functools
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.endpoint import HIDDEN, api_key
from pytest_llmval.servers.remote.faults import Unanswered, fault_of
from pytest_llmval.servers.remote.sending import Arrival
from pytest_llmval.servers.remote.streaming import Pieces, events
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.payloads import Post
    from pytest_llmval.servers.remote.sending import Watch

OK = 200


class HttpSender:
    """Sends to a base URL."""

    def __init__(self, endpoint: Endpoint, keep_alive: int = 8) -> None:
        """A sender whose connections are made on first need; so many are kept for later requests."""
        self.endpoint = endpoint
        self._keep_alive = keep_alive

    @functools.cached_property
    def _key(self) -> str:
        return api_key(self.endpoint)

    @functools.cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        most = httpx.Limits(max_connections=None, max_keepalive_connections=self._keep_alive)
        return httpx.Client(headers=headers, limits=most)

    def open(self) -> None:
        """Make the client.

        Raises:
            ServerError: If the key or the URL cannot be used.
        """
        if not self.endpoint.url.startswith(("http://", "https://")):
            msg = f"version {self.endpoint.name!r}: url = {shown_url(self.endpoint.url)!r}; expected http://… or https://…"
            raise ServerError(msg)
        _ = self._client

    def send(self, post: Post, watch: Watch, *, streams: bool) -> Arrival:
        """Post JSON, or get when there is none."""
        payload = post.payload
        if streams and payload is not None:
            payload = payload | {"stream": True, "stream_options": {"include_usage": True}}
        url = f"{self.endpoint.url.rstrip('/')}/{post.path}"
        method = "GET" if payload is None else "POST"
        with (
            outside_faults(self.endpoint, watch),
            self._client.stream(method, url, json=payload, timeout=watch.longest) as response,
        ):
            if response.status_code != OK:
                response.read()
                raise fault_of(self.endpoint, response.status_code, response.headers, response.text)
            return _read_pieces(response, watch) if streams else _read_whole(response, post, watch)

    def place(self, post: Post) -> str:
        """The URL without user, password and query."""
        return f"{shown_url(self.endpoint.url)}/{post.path}"

    def cleaned(self, text: str) -> str:
        """A message without the key."""
        return text.replace(self._key, HIDDEN) if self._key else text

    def revive(self) -> bool:
        """Start the server anew if it is ours and died."""
        return self.endpoint.revive()

    def close(self) -> None:
        """Close the connections."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()


@contextmanager
def outside_faults(endpoint: Endpoint, watch: Watch) -> Iterator[None]:
    """Within it, what httpx raises is raised as a fault of ours."""
    try:
        yield
    except httpx.InvalidURL as error:
        msg = f"url = {shown_url(endpoint.url)!r} is none: {error}"
        raise ServerError(msg) from error
    except httpx.TimeoutException as error:
        msg = f"no answer within {watch.longest:g} s ({type(error).__name__})"
        raise Unanswered(msg) from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        msg = f"{type(error).__name__}: {error}"
        raise Unanswered(msg) from error


def whole_text(response: httpx.Response, watch: Watch) -> str:
    """The body, as long as it comes in time."""
    chunks = []
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        watch.check()
    return b"".join(chunks).decode("utf-8", errors="replace")


def _read_whole(response: httpx.Response, post: Post, watch: Watch) -> Arrival:
    text = whole_text(response, watch)
    try:
        body = json.loads(text)
    except ValueError as error:
        msg = f"the answer is not JSON: {text[:80]!r}"
        raise Unanswered(msg) from error
    if not isinstance(body, dict) or (post.expects and not body.get(post.expects)):
        msg = f"the answer has no {post.expects or 'JSON object'}: {text[:200]!r}"
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
