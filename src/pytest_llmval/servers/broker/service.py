"""The engine process: answers the workers of one run, one call after the other, until its owner is gone."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.broker.channel import Channel, Message, listen
from pytest_llmval.servers.broker.faults import fault_message, is_ours
from pytest_llmval.servers.broker.process import ANNOUNCEMENT
from pytest_llmval.servers.opening import Servers, Terms
from pytest_llmval.servers.perplexity_protocol import Windows
from pytest_llmval.servers.wire import prompt_from_json, request_from_json, response_to_json
from pytest_llmval.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from pytest_llmval.servers.server import Server


def _answer(server: Server, values: dict[str, Any]) -> Message:
    answer = server.answer if values["call"] == "answer" else server.answer_in_pieces
    responses = answer([request_from_json(each) for each in values["requests"]])
    return Message({"responses": [response_to_json(each) for each in responses]})


def _loglikelihood(server: Server, values: dict[str, Any]) -> Message:
    pairs = [(context, continuation) for context, continuation in values["pairs"]]
    found = server.loglikelihood(pairs, unverified=values["unverified"])
    return Message({"likelihoods": [asdict(each) for each in found]})


def _document_likelihood(server: Server, values: dict[str, Any]) -> Message:
    found = server.document_likelihood(values["texts"], Windows(**values["windows"]))
    return Message({"likelihoods": [asdict(each) for each in found]})


def _logits(server: Server, values: dict[str, Any]) -> Message:
    return Message({}, {"logits": server.logits(values["prompt"])})


def _count_tokens(server: Server, values: dict[str, Any]) -> Message:
    return Message({"tokens": server.count_tokens(prompt_from_json(values["prompt"]))})


def _capabilities(server: Server, _: dict[str, Any]) -> Message:
    return Message({"capabilities": asdict(server.capabilities), "findings": list(map(asdict, server.findings))})


def _location(server: Server, _: dict[str, Any]) -> Message:
    return Message({"location": asdict(server.location())})


def _restart(server: Server, _: dict[str, Any]) -> Message:
    server.restart()
    return Message({})


def _peak_memory(server: Server, _: dict[str, Any]) -> Message:
    return Message({"bytes": server.peak_memory()})


CALLS: dict[str, Callable[[Server, dict[str, Any]], Message]] = {
    "answer": _answer,
    "loglikelihood": _loglikelihood,
    "document_likelihood": _document_likelihood,
    "logits": _logits,
    "count_tokens": _count_tokens,
    "answer_in_pieces": _answer,
    "capabilities": _capabilities,
    "location": _location,
    "restart": _restart,
    "peak_memory": _peak_memory,
}
"""What a worker may ask for, under the names of the Server protocol."""


class Service:
    """The models of a run. Calls of different workers are never computed together, hence the same numbers always.

    Remote servers are asked by all workers at once, under one limiter and one budget.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._servers: Servers | None = None
        self._opening = Lock()
        self._computing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    def serve(self, connection: Connection) -> None:
        """Answer one worker until it hangs up; whoever else has knocked is noted."""
        try:
            channel = Channel.let_in(connection, self._secret)
        except (EOFError, OSError) as error:
            _note(f"somebody knocked and was not let in: {type(error).__name__}: {error}")
            return
        # Closed whatever happens: a worker must not wait for a thread that is gone.
        with closing(channel), suppress(EOFError, OSError):
            while True:
                self._serve_once(channel)

    def _serve_once(self, channel: Channel) -> None:
        try:
            asked = channel.receive().values
            model = ModelSettings.made_of(asked["model"])
            channel.send(self.reply(model, asked) if model.is_asked else self._compute(model, asked))
        except (EOFError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - for want of memory, say, before or after computing
            channel.send(_reported(error))

    def _compute(self, model: ModelSettings, values: dict[str, Any]) -> Message:
        """The answer to a call that is computed here, when its turn comes."""
        return self._computing.submit(self.reply, model, values).result()

    def reply(self, model: ModelSettings, values: dict[str, Any]) -> Message:
        """The answer to one call, or what went wrong."""
        try:
            server = self._servers_on(Terms(**values["terms"])).of(model)
            return CALLS[values["call"]](server, values)
        except BaseException as error:  # noqa: BLE001 - whatever a model raises, or its native code panics with
            return _reported(error)

    def _servers_on(self, terms: Terms) -> Servers:
        """The servers of the run, whose terms all workers tell alike."""
        with self._opening:
            if self._servers is None:
                self._servers = Servers(terms)
            return self._servers

    def close(self) -> None:
        """End the servers that were started."""
        if self._servers is not None:
            self._servers.close()


def _reported(error: BaseException) -> Message:
    """The fault as the worker is told; the log keeps where it was raised."""
    if not is_ours(error):
        traceback.print_exception(error)
    return fault_message(error)


def _note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - the log


def main() -> None:
    """Serve the workers that know the secret given as the first line of input; end when the input does."""
    service = Service(sys.stdin.readline().strip())
    with listen() as listener:
        Thread(target=_end_with_owner, args=(service,), daemon=True).start()
        _announce(listener.address[1])
        while True:
            try:
                Thread(target=service.serve, args=(listener.accept(),), daemon=True).start()
            except OSError as error:  # too many open files, say
                _note(f"nobody can be let in: {error}")
                time.sleep(1)


def _announce(port: int) -> None:
    """Say where this process listens; from here on output is the log."""
    os.write(1, f"{ANNOUNCEMENT}{port}\n".encode())
    os.dup2(2, 1)


def _end_with_owner(service: Service) -> None:
    """End this process and what it started as soon as the one that owns it closes the pipe, or is gone."""
    while os.read(0, 1024):
        pass
    with suppress(Exception):  # whatever happens, the end comes
        service.close()
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)  # leader of its own group
    os._exit(0)


if __name__ == "__main__":
    main()
