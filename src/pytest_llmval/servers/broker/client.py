"""BrokeredServer: a worker's handle on a model that the engine process of the run holds."""

from __future__ import annotations

import functools
from contextlib import closing, suppress
from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.broker.channel import Address, Channel, Message
from pytest_llmval.servers.broker.faults import raise_fault
from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood
from pytest_llmval.servers.perplexity_protocol import WHOLE, PerplexityProtocol
from pytest_llmval.servers.server import LOCAL_MODEL, Capabilities, Finding, Location
from pytest_llmval.servers.wire import prompt_to_json, request_to_json, response_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.servers.engine.encoding import Prompt
    from pytest_llmval.servers.exchange import Request, Response
    from pytest_llmval.servers.opening import Terms
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.settings import ModelSettings


PATIENCE_SECONDS = 60.0
"""How long a call may take before the worker looks whether the engine is still there."""
MOST_TRIES = 4


class Line:
    """A worker's line to the engine process of its run, over which several calls may be made at a time."""

    def __init__(self, keeper: Address) -> None:
        self._keeper = keeper
        self._idle: list[Conversation] = []
        self._choosing = Lock()

    def call(self, message: Message) -> Message:
        """The engine's reply.

        Raises:
            ServerError: If there is no engine to be had.
            LlmvalError, ValueError: What the engine raised.
        """
        with self._choosing:
            conversation = self._idle.pop() if self._idle else Conversation(self._keeper)
        try:
            return conversation.call(message)
        finally:
            with self._choosing:
                self._idle.append(conversation)

    def hang_up(self) -> None:
        """Close the connections; the next call makes another."""
        with self._choosing:
            for conversation in self._idle:
                conversation.hang_up()


class Conversation:
    """One connection, for one call at a time; an engine that died is asked for anew, and the call repeated."""

    def __init__(self, keeper: Address) -> None:
        self._keeper = keeper
        self._engine: Channel | None = None
        self._number = 0
        """Which engine of the run was spoken to last; 0 for none."""
        self._lost = 0
        """Which engine of the run was found dead last."""

    def call(self, message: Message) -> Message:
        """The engine's reply.

        Raises:
            ServerError: If there is no engine to be had.
            LlmvalError, ValueError: What the engine raised.
        """
        for _ in range(MOST_TRIES):
            reply = self._try(message)
            if reply is not None:
                raise_fault(reply)
                return reply
        msg = f"the connection to the engine of this run was lost {MOST_TRIES} times over one call"
        raise ServerError(msg)

    def _try(self, message: Message) -> Message | None:
        """The engine's reply; None when the connection was lost over it."""
        port = self._port() if self._engine is None else 0
        try:
            self._engine = self._engine or Channel.to(Address(port, self._keeper.secret))
            return self._exchange(self._engine, message)
        except (EOFError, OSError):
            self._lost = self._number
            self.hang_up()
            return None
        except BaseException:  # Ctrl-C: the reply that is still to come would be taken for the next one's
            self.hang_up()
            raise

    def _exchange(self, engine: Channel, message: Message) -> Message:
        """The reply, however long it takes as long as the engine lets others in meanwhile.

        Raises:
            EOFError, OSError: If it is gone, or does not.
        """
        engine.send(message)
        while not engine.waits(PATIENCE_SECONDS):
            Channel.to(Address(self._port(), self._keeper.secret)).close()
        return engine.receive()

    def _port(self) -> int:
        """Where the engine listens now, as the keeper says, which starts it if need be."""
        try:
            keeper = Channel.to(self._keeper)
            with closing(keeper):
                keeper.send(Message({"lost": self._lost}))
                told = keeper.receive()
        except (EOFError, OSError) as error:
            msg = f"the process that keeps the engine of this run is gone: {type(error).__name__}: {error}"
            raise ServerError(msg) from error
        raise_fault(told)
        self._number = told.values["number"]
        return int(told.values["port"])

    def hang_up(self) -> None:
        """Close the connection; the next call makes another."""
        if self._engine is not None:
            with suppress(OSError):
                self._engine.close()
            self._engine = None


class BrokeredServer:
    """A server in the engine process of the run: a Hugging Face model, or what asks a remote one."""

    def __init__(self, settings: ModelSettings, terms: Terms, line: Line) -> None:
        self.name = settings.server
        self._settings = settings
        self._terms = terms
        self._line = line

    def _call(self, name: str, **values: Any) -> Message:
        asked = {"call": name, "model": asdict(self._settings), "terms": asdict(self._terms), **values}
        return self._line.call(Message(asked))

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the engine can do everything, others are looked at."""
        return LOCAL_MODEL if self._settings.is_engine else Capabilities(**self._found["capabilities"])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How that was found."""
        return () if self._settings.is_engine else tuple(Finding(**each) for each in self._found["findings"])

    @functools.cached_property
    def _found(self) -> dict[str, Any]:
        return self._call("capabilities").values

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer in this process; needs no weights."""
        from pytest_llmval.servers.reference import Reference

        return Reference(self._settings).tokenizer

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order."""
        return self._responses("answer", requests)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context."""
        reply = self._call("loglikelihood", pairs=list(pairs), unverified=unverified)
        return [
            LogLikelihood(**(each | {"token_logprobs": tuple(each["token_logprobs"])}))
            for each in reply.values["likelihoods"]
        ]

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:
        """The likelihood of each whole text."""
        reply = self._call("document_likelihood", texts=list(texts), windows=asdict(windows))
        return [_document(each) for each in reply.values["likelihoods"]]

    def logits(self, prompt: str) -> np.ndarray:
        """Logits of every prompt position, float32, `[tokens, vocabulary]`."""
        return self._call("logits", prompt=prompt).arrays["logits"]

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:
        """As `answer`, streamed."""
        return self._responses("answer_in_pieces", requests)

    def _responses(self, call: str, requests: Sequence[Request]) -> list[Response]:
        reply = self._call(call, requests=list(map(request_to_json, requests)))
        return [response_from_json(each | {"replayed": self._settings.is_log}) for each in reply.values["responses"]]

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of a prompt, special tokens included."""
        return int(self._call("count_tokens", prompt=prompt_to_json(prompt)).values["tokens"])

    def location(self) -> Location:
        """Where it is found."""
        told = self._call("location").values["location"]
        return Location(**(told | {"deaths": tuple(told["deaths"])}))

    def restart(self) -> None:
        """End the server's process and start it anew."""
        self._call("restart")
        self.__dict__.pop("_found", None)

    def peak_memory(self) -> int | None:
        """The most bytes it took so far."""
        found: int | None = self._call("peak_memory").values["bytes"]
        return found

    def close(self) -> None:
        """Hang up; the engine stays, for the other workers."""
        self._line.hang_up()


def _document(data: dict[str, Any]) -> DocumentLikelihood:
    protocol = data["protocol"]
    return DocumentLikelihood(**(data | {"protocol": None if protocol is None else PerplexityProtocol(**protocol)}))
