"""A real server process over the real engine, and the server under test that asks it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_llmval.settings import ModelSettings

NOTHING = ModelSettings(name="remote", server="openai")
"""A version of which nothing is known here."""
SCRIPT = Path(__file__).parent / "engine_server.py"


@dataclass
class Served:
    """The server process."""

    process: subprocess.Popen
    port: int
    opened: list = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _control(self, method: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, "/control", json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def suffer(self, **defects: Any) -> None:
        """Switch these defects on and all others off, and forget what was asked; `_` stands for a space."""
        self._control("POST", {"defects": {name.replace("_", " "): value for name, value in defects.items()}})

    @property
    def asked(self) -> list[dict]:
        """What reached it."""
        return self._control("GET")["asked"]

    @property
    def most_at_once(self) -> int:
        """Most requests that it had at a time."""
        return self._control("GET")["most"]


@pytest.fixture(scope="session")
def process(tiny_model: Any) -> Any:
    """The server process of the session, leader of its own group; nothing of it is left afterwards."""
    command = [sys.executable, str(SCRIPT), tiny_model("llama").model]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = subprocess.Popen(command, **pipes, text=True, start_new_session=True)
    served = Served(started, int(started.stdout.readline()))
    yield served
    os.killpg(started.pid, signal.SIGTERM)
    started.wait(10)
    started.stdin.close()
    started.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)


@pytest.fixture
def served(process: Served) -> Any:
    """The server process without any defect."""
    process.suffer()
    return process


@pytest.fixture
def connect(served: Served) -> Any:
    """A function that opens the server under test; waits between attempts are taken down instead of waited."""
    from pytest_llmval.servers.reference import Reference
    from pytest_llmval.servers.remote.endpoint import Standing
    from pytest_llmval.servers.remote.http_sender import HttpSender
    from pytest_llmval.servers.remote.limiter import Limiter, Limits
    from pytest_llmval.servers.remote.openai import OpenAIServer
    from pytest_llmval.servers.remote.transport import Patience, Transport

    opened = []

    def open_server(
        *, streams=False, limits=None, limiter=None, waits=None, patience=None, account=None, reference=None, **settings
    ):
        asked = {"attempts": 4, "timeout": 10} | (patience or {})
        endpoint = Standing(**{"name": "remote", "url": served.url, "model": "tiny"} | settings)
        transport = Transport(
            endpoint.name,
            HttpSender(endpoint),
            account=account,
            limiter=limiter or Limiter(limits or Limits()),
            patience=Patience(**asked),
            sleep=(waits if waits is not None else []).append,
        )
        opened.append(OpenAIServer(endpoint, transport, streams=streams, reference=Reference(reference or NOTHING)))
        return opened[-1]

    yield open_server
    for server in opened:
        server.close()
