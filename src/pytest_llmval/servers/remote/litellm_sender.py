"""LitellmSender: a model of any provider that litellm knows."""

from __future__ import annotations

import copy
import functools
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

import httpx

from pytest_llmval.errors import CapabilityMissing, ServerError
from pytest_llmval.servers.remote.endpoint import HIDDEN, Standing, api_key
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.gathering import gather
from pytest_llmval.servers.remote.litellm_faults import chain_of, fault_behind, refusal
from pytest_llmval.servers.remote.litellm_library import OPENAI, library, provider_of, warm_up
from pytest_llmval.servers.remote.payloads import COMPLETIONS
from pytest_llmval.servers.remote.sending import Arrival
from pytest_llmval.servers.remote.streaming import Pieces
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.servers.remote.litellm_library import Provider
    from pytest_llmval.servers.remote.payloads import Post
    from pytest_llmval.servers.remote.sending import Watch
    from pytest_llmval.settings import ModelSettings

OK = 200
NO_KEY = "none"
SECRETS = ("_KEY", "_TOKEN", "_SECRET")
"""How environment variables end that hold what litellm sends as a key."""
SHORTEST_SECRET = 8
ONCE = {"num_retries": 0, "max_retries": 0, "drop_params": False, "caching": False}
"""Each attempt is one request, with all that was asked for, and reaches the provider."""


@dataclass(frozen=True, slots=True)
class Hosted(Standing):
    """A model by the name that litellm has for it; the URL is empty at the provider's own address."""

    def restart(self) -> None:
        """It is not ours to start."""
        msg = (
            f"the model of {self.name!r} is {self.model!r} by litellm, not started by this run: it cannot be restarted"
        )
        raise CapabilityMissing(msg)


class LitellmSender:
    """Sends through `litellm.completion` and `litellm.text_completion`."""

    def __init__(self, model: ModelSettings) -> None:
        """A sender for a version; litellm is imported when it is opened."""
        self.endpoint = Hosted(model.name, model.url, model.model, model.api_key_env)
        self._model = model

    @functools.cached_property
    def _key(self) -> str:
        return api_key(self.endpoint)

    @functools.cached_property
    def _litellm(self) -> Any:
        return library(self._model)

    @functools.cached_property
    def _provider(self) -> Provider:
        return provider_of(self._model, self._key)

    @functools.cached_property
    def _client(self) -> Any:
        """The client for providers with the OpenAI interface.

        The one that litellm makes for completions leaves a connection open each time, and where a conversation is
        refused for its roles litellm asks again with another one: here a refusal is an error before it sees it.

        Raises:
            ServerError: If there is no key.
        """
        import openai

        provider, hooks = self._provider, {"response": [self._refuse]}
        # Without a key the client takes that of OpenAI, which goes nowhere else unless the settings say so.
        key = provider.key or (NO_KEY if provider.url else None)
        url = provider.url or os.environ.get("OPENAI_API_BASE")
        try:
            client = httpx.Client(event_hooks=hooks, limits=httpx.Limits(max_connections=None))
            return openai.OpenAI(api_key=key, base_url=url, http_client=client)
        except openai.OpenAIError as error:
            raise refusal(self.endpoint, httpx.codes.UNAUTHORIZED, {}, str(error)) from error
        except httpx.InvalidURL as error:
            msg = f"version {self.endpoint.name!r}: url = {shown_url(self.endpoint.url)!r} is none: {error}"
            raise ServerError(msg) from error

    def _refuse(self, response: httpx.Response) -> None:
        if response.status_code != OK:
            response.read()
            raise refusal(self.endpoint, response.status_code, response.headers, response.text)

    def open(self) -> None:
        """Import litellm, find the provider, and have loaded what the first answer would wait for.

        Raises:
            ServerError: If there is no litellm, no such provider or no key.
        """
        if self._provider.name == OPENAI:
            _ = self._client.completions, self._client.chat.completions
        warm_up(self._litellm)

    def send(self, post: Post, watch: Watch, *, streams: bool) -> Arrival:
        """Ask through litellm.

        Streams are used for conversations alone: litellm drops logprobs and token ids from the others, and nobody can
        tell whether one of them came to its end.
        """
        self._check(post)
        attempt = functools.partial(self._attempt, post, watch, streams=streams)
        return attempt() if current_thread() is not main_thread() else _apart(attempt)

    def _attempt(self, post: Post, watch: Watch, *, streams: bool) -> Arrival:
        # It silences its own warnings when it is imported, which pytest takes back after each test.
        warnings.filterwarnings("ignore", module=r"litellm\.")
        with self._faults(watch):
            if post.path == COMPLETIONS:
                return _whole(self._litellm.text_completion(**self._options(post, watch)), post)
            options = self._options(post, watch)
            if streams and "return_token_ids" not in options:
                return self._streamed(options, watch)
            return _whole(self._litellm.completion(**options), post)

    def _check(self, post: Post) -> None:
        """Raise NotThere where litellm would ask something else."""
        if post.path in self._provider.paths:
            return
        way, other = ("prompts", "messages") if post.path == COMPLETIONS else ("messages", "prompts")
        msg = f"litellm has no {way} for {self.endpoint.model!r} and would make {other} of them; expected {other}"
        raise NotThere(msg)

    def _options(self, post: Post, watch: Watch) -> dict[str, Any]:
        options = copy.deepcopy(post.payload or {}) | ONCE | {"timeout": float(watch.longest)}
        if post.path == COMPLETIONS or self._provider.name == OPENAI:
            options["client"] = self._client.with_options(timeout=watch.longest, max_retries=0)
        given = {"api_base": self._model.url, "api_key": self._key}
        return options | {name: value for name, value in given.items() if value}

    def _streamed(self, options: dict[str, Any], watch: Watch) -> Arrival:
        stream = self._litellm.completion(**options, stream=True, stream_options={"include_usage": True})
        pieces, first = Pieces(), None
        with _closing(stream.completion_stream):
            for chunk in stream:
                pieces.add_piece(chunk.model_dump(warnings=False))
                if first is None and pieces.has_text:
                    first = watch.seconds
                watch.check()
        return Arrival(_ended(stream, pieces), first)

    @contextmanager
    def _faults(self, watch: Watch) -> Iterator[None]:
        """Exceptions of litellm become ours; what shows the key goes no further."""
        try:
            yield
        except ServerError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library of a hundred providers raises
            fault = fault_behind(self.endpoint, error, watch.longest)
            chain = list(chain_of(error))
            is_clean = all(self.cleaned(text) == text for text in map(str, chain))
            fault.args = (self.cleaned(str(fault)),)
            raise fault from (error if is_clean and fault not in chain else None)

    def place(self, post: Post) -> str:
        """The model by its litellm name, with the URL where one was given."""
        where = f" at {shown_url(self.endpoint.url)}" if self.endpoint.url else ""
        return f"litellm {self.endpoint.model}{where}: {post.path}"

    def cleaned(self, text: str) -> str:
        """A message without the key, whichever it was."""
        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)
        return text

    def _secrets(self) -> Iterator[str]:
        if self._key:
            yield self._key
        for name, value in os.environ.items():
            if name.endswith(SECRETS) and len(value) >= SHORTEST_SECRET:
                yield value

    def revive(self) -> bool:
        """It is not ours to start."""
        return self.endpoint.revive()

    def close(self) -> None:
        """Close the connections."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()


def _apart(attempt: Callable[[], Arrival]) -> Arrival:
    """An attempt in a thread of its own: in the main thread litellm sets up an event loop that it never closes."""
    (found,) = gather([attempt], 1)
    if isinstance(found, Exception):
        raise found
    return found


@contextmanager
def _closing(stream: Any) -> Iterator[None]:
    """A stream that is closed, if it can be, also when it is given up halfway."""
    try:
        yield
    finally:
        getattr(stream, "close", lambda: None)()


def _whole(response: Any, post: Post) -> Arrival:
    body = response.model_dump(warnings=False)
    if post.expects and not body.get(post.expects):
        msg = f"the answer has no {post.expects}: {str(body)[:200]}"
        raise Unanswered(msg)
    for choice in body["choices"]:
        choice.update(choice.pop("provider_specific_fields", None) or {})  # where it puts what it does not know
    return Arrival(body)


def _ended(stream: Any, pieces: Pieces) -> dict[str, Any]:
    """What came in pieces.

    Where the provider says neither, litellm makes up that an answer ended and counts its tokens with a tokenizer of
    its own.

    Raises:
        Unanswered: If the provider did not say that it ended.
    """
    if not (stream.received_finish_reason or stream.intermittent_finish_reason):
        msg = "the answer broke off before its end"
        raise Unanswered(msg)
    if not any(getattr(chunk, "usage", None) for chunk in stream.chunks):
        pieces.body.pop("usage", None)
    return pieces.body
