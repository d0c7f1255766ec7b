"""The engine process: answers the workers of one run, one call after the other, until its owner is gone."""

from __future__ import annotations

import os
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from multiprocessing import AuthenticationError
from threading import Thread
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.broker.channel import Channel, Message, listen
from pytest_llmval.servers.broker.faults import fault_message, is_known
from pytest_llmval.servers.opening import open_server
from pytest_llmval.servers.perplexity_protocol import Windows
from pytest_llmval.servers.wire import request_from_json, response_to_json
from pytest_llmval.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.servers.server import Server


def _answer(server: Server, values: dict[str, Any]) -> Message:
    responses = server.answer([request_from_json(each) for each in values["requests"]])
    return Message({"responses": [response_to_json(each) for each in responses]})


def _loglikelihood(server: Server, values: dict[str, Any]) -> Message:
    found = server.loglikelihood([(context, continuation) for context, continuation in values["pairs"]])
    return Message({"likelihoods": [asdict(each) for each in found]})


def _document_likelihood(server: Server, values: dict[str, Any]) -> Message:
    found = server.document_likelihood(values["texts"], Windows(**values["windows"]))
    return Message({"likelihoods": [asdict(each) for each in found]})


def _logits(server: Server, values: dict[str, Any]) -> Message:
    return Message({}, {"logits": server.logits(values["prompt"])})


def _count_tokens(server: Server, values: dict[str, Any]) -> Message:
    return Message({"tokens": server.count_tokens(values["prompt"])})


CALLS: dict[str, Callable[[Server, dict[str, Any]], Message]] = {
    "answer": _answer,
    "loglikelihood": _loglikelihood,
    "document_likelihood": _document_likelihood,
    "logits": _logits,
    "count_tokens": _count_tokens,
}
"""What a worker may ask for, under the names of the Server protocol."""


class Service:
    """The models of a run. Calls of different workers are never computed together, hence the same numbers always."""

    def __init__(self) -> None:
        self._servers: dict[ModelSettings, Server] = {}
        self._computing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    def serve(self, channel: Channel) -> None:
        """Answer one worker until it hangs up."""
        while True:
            try:
                asked = channel.receive()
                channel.send(self._computing.submit(self.reply, asked.values).result())
            except (EOFError, OSError):
                return

    def reply(self, values: dict[str, Any]) -> Message:
        """The answer to one call, or what went wrong."""
        try:
            server = self._server(ModelSettings(**values["model"]), values["batch_size"])
            return CALLS[values["call"]](server, values)
        except Exception as error:  # noqa: BLE001 - whatever a model raises: the worker is told, the log keeps the rest
            if not is_known(error):
                traceback.print_exc()
            return fault_message(error)

    def _server(self, model: ModelSettings, batch_size: int) -> Server:
        if model not in self._servers:
            self._servers[model] = open_server(model, batch_size)
        return self._servers[model]


def main() -> None:
    """Serve the workers that know the secret given as the first line of input; end when the input does."""
    secret = bytes.fromhex(sys.stdin.readline())
    with listen(secret) as listener:
        Thread(target=_end_with_owner, daemon=True).start()
        _announce(listener.address[1])
        service = Service()
        while True:
            try:
                connection = listener.accept()
            except (AuthenticationError, EOFError, ConnectionError) as error:
                print(f"somebody knocked and was not let in: {error!r}", file=sys.stderr)  # noqa: T201 - the log
                continue
            Thread(target=service.serve, args=(Channel(connection),), daemon=True).start()


def _announce(port: int) -> None:
    """Say where this process listens; from here on output is the log."""
    os.write(1, f"{port}\n".encode())
    os.dup2(2, 1)


def _end_with_owner() -> None:
    """End this process as soon as the one that started it closes the pipe, or is gone."""
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
