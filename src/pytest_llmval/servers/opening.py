"""Which server answers for a model version; heavy libraries are imported here, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import CapabilityMissing, ServerError

if TYPE_CHECKING:
    from pytest_llmval.servers.broker.client import Line
    from pytest_llmval.servers.server import Server
    from pytest_llmval.settings import ModelSettings


def open_server(model: ModelSettings, batch_size: int, line: Line | None = None) -> Server:
    """The server of a version, in this process unless there is a line to an engine of the run.

    Raises:
        ServerError: If its library is not installed.
        CapabilityMissing: If the version is a recorded baseline.
    """
    if model.is_recorded:
        msg = f"the baseline {model.name!r} is recorded: its answers are there, the model is not"
        raise CapabilityMissing(msg)
    if model.server == "scripted":
        from pytest_llmval.servers.scripted import ScriptedServer

        return ScriptedServer.from_file(model.answers or "")
    if model.server == "openai":
        return _open_endpoint(model)
    if line is not None:
        from pytest_llmval.servers.broker.client import BrokeredServer

        return BrokeredServer(model, batch_size, line)
    return _open_engine(model, batch_size)


def _open_endpoint(model: ModelSettings) -> Server:
    try:
        import httpx  # noqa: F401
    except ImportError as error:
        msg = f"version {model.name!r} needs httpx: pip install pytest-llmval[http]"
        raise ServerError(msg) from error
    from pytest_llmval.servers.remote.limiter import Limiter, Limits
    from pytest_llmval.servers.remote.openai import OpenAIServer
    from pytest_llmval.servers.remote.transport import Patience, Transport

    limits = Limits(model.requests_per_minute, model.tokens_per_minute, model.concurrency)
    transport = Transport(model, limiter=Limiter(limits), patience=Patience(timeout=model.timeout))
    return OpenAIServer(model, transport, streams=model.streams)


def _open_engine(model: ModelSettings, batch_size: int) -> Server:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        msg = f"version {model.name!r} needs torch and transformers: pip install pytest-llmval[transformers]"
        raise ServerError(msg) from error
    from pytest_llmval.servers.engine.engine import TransformersEngine

    return TransformersEngine(model, batch_size=batch_size)
