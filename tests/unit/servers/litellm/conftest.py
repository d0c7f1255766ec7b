"""The server process of the tests of remote servers, asked through litellm."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_llmval.settings import ModelSettings


def neighbour() -> Any:
    """The conftest of the tests of remote servers; folders of tests are no packages."""
    path = Path(__file__).parents[1] / "remote" / "conftest.py"
    spec = importlib.util.spec_from_file_location("llmval_remote_conftest", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


REMOTE = neighbour()
process, served = REMOTE.process, REMOTE.served


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have keys."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def version(served: Any) -> Any:
    """A function that makes the settings of a version that litellm asks, at the server unless they say otherwise."""

    def settings(**given: Any) -> ModelSettings:
        return ModelSettings(
            **{"name": "hosted", "server": "litellm", "model": "openai/tiny", "url": served.url} | given
        )

    return settings


@pytest.fixture
def connect(version: Any) -> Any:
    """A function that opens the server under test; waits between attempts are taken down instead of waited."""
    from pytest_llmval.servers.reference import Reference
    from pytest_llmval.servers.remote.litellm_sender import LitellmSender
    from pytest_llmval.servers.remote.openai import OpenAIServer
    from pytest_llmval.servers.remote.transport import Patience, Transport

    opened = []

    def open_server(*, streams: bool = False, waits: Any = None, patience: Any = None, **settings: Any) -> Any:
        model = version(**settings)
        sender = LitellmSender(model)
        taken = waits if waits is not None else []
        asked = Patience(**{"attempts": 4, "timeout": 10} | (patience or {}))
        transport = Transport("hosted", sender, patience=asked, sleep=taken.append)
        server = OpenAIServer(sender.endpoint, transport, reference=Reference(model), streams=streams, name="litellm")
        opened.append(server)
        return opened[-1]

    yield open_server
    for server in opened:
        server.close()
