"""Which server answers for a model version; heavy libraries are imported here, not before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.errors import CapabilityMissing, ServerError

if TYPE_CHECKING:
    from pytest_llmval.servers.broker.client import Line
    from pytest_llmval.servers.remote.budget import Price, Purse
    from pytest_llmval.servers.server import Server
    from pytest_llmval.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run asks of its servers, whatever the version. JSON values only: workers send it to the engine process."""

    batch_size: int
    """Most requests that the engine computes together."""
    budget: float | None = None
    """US dollars that the run may spend; None for as many as are needed."""
    logs: str = ""
    """Folder for the logs of servers that are started."""


class Servers:
    """The servers in use in one process, each opened on first need; safe among threads."""

    def __init__(self, terms: Terms, line: Line | None = None) -> None:
        """Servers in this process, unless there is a line to the process that holds those of the run."""
        self._terms = terms
        self._line = line
        self._open: dict[ModelSettings, Server] = {}
        self._opening = Lock()
        self._purse: Purse | None = None

    def of(self, model: ModelSettings) -> Server:
        """The server of a version.

        Raises:
            ServerError: If its library is not installed.
            CapabilityMissing: If the version is a recorded baseline.
        """
        with self._opening:
            if model not in self._open:
                self._open[model] = self._opened(model)
            return self._open[model]

    def started(self, model: ModelSettings) -> Server | None:
        """The server of a version, if it was opened."""
        return self._open.get(model)

    def _opened(self, model: ModelSettings) -> Server:
        if model.is_recorded:
            msg = f"the baseline {model.name!r} is recorded: its answers are there, the model is not"
            raise CapabilityMissing(msg)
        if model.server == "scripted":
            from pytest_llmval.servers.scripted import ScriptedServer

            return ScriptedServer.from_file(model.answers or "")
        if self._line is not None:
            from pytest_llmval.servers.broker.client import BrokeredServer

            return BrokeredServer(model, self._terms, self._line)
        if model.server == "replay":
            from pytest_llmval.servers.replay import ReplayServer

            return ReplayServer.from_file(model.answers or "")
        if model.is_engine:
            return _open_engine(model, self._terms.batch_size)
        return self._open_remote(model)

    def _open_remote(self, model: ModelSettings) -> Server:
        require("httpx", "http", model)
        from pytest_llmval.servers.remote.budget import Purse
        from pytest_llmval.servers.remote.opening import open_remote

        self._purse = self._purse or Purse(self._terms.budget, self._book)
        return open_remote(model, self._purse, log_of(model, self._terms.logs))

    @property
    def _book(self) -> Path | None:
        """Where money is written down; nowhere without a limit."""
        return None if self._terms.budget is None or not self._terms.logs else Path(self._terms.logs) / "spending.log"

    def close(self) -> None:
        """Stop all of them. Calling it twice is harmless."""
        while self._open:
            self._open.popitem()[1].close()


def price_of(model: ModelSettings) -> Price | None:
    """What tokens of a version cost; None where nobody knows.

    Raises:
        ServerError: If the library that knows prices is not installed.
    """
    if model.is_asked:
        require("httpx", "http", model)
    from pytest_llmval.servers.remote.opening import price

    return price(model)


def log_of(model: ModelSettings, folder: str) -> Path:
    """Where the server of a version writes that the run starts."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.name)
    told_apart = "" if name == model.name else f"-{content_hash(model.name)[:6]}"
    return Path(folder or ".") / f"server-{name}{told_apart}.log"


def require(library: str, extra: str, model: ModelSettings) -> None:
    """Raise ServerError with the command that installs a library, unless it is there."""
    from importlib.util import find_spec

    if find_spec(library) is None:
        msg = f"version {model.name!r} needs {library}: pip install pytest-llmval[{extra}]"
        raise ServerError(msg)


def _open_engine(model: ModelSettings, batch_size: int) -> Server:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        msg = f"version {model.name!r} needs torch and transformers: pip install pytest-llmval[transformers]"
        raise ServerError(msg) from error
    from pytest_llmval.servers.engine.engine import TransformersEngine

    return TransformersEngine(model, batch_size=batch_size)
