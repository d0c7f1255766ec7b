"""Keeper: owns the engine process of a run, in the process that outlives the workers."""

from __future__ import annotations

import secrets
from contextlib import suppress
from multiprocessing import AuthenticationError
from threading import Lock, Thread
from typing import TYPE_CHECKING

from pytest_llmval.errors import LlmvalError, ServerError
from pytest_llmval.servers.broker.channel import Address, Channel, Message, listen
from pytest_llmval.servers.broker.faults import fault_message
from pytest_llmval.servers.broker.process import DiedEarly, EngineProcess, tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

RESTARTS = 1
"""How often an engine that died is started anew: a fault that comes back would only cost time."""
DYING_SECONDS = 10.0
"""What a process whose connection is gone is given to be seen dead."""


class Keeper:
    """Starts the engine when a worker first asks for it, once more after a crash, and ends it with the run.

    The engine is a child of this process and lives no longer: it ends when the pipe between them closes, also when
    this process is killed. Workers may come and go.
    """

    def __init__(self, log: Path, open_log: Callable[[Path], IO[str]]) -> None:
        """A keeper whose engine writes to `log`; nothing is started yet."""
        self._log, self._open_log = log, open_log
        self._secret = secrets.token_hex(32)
        self._listener = listen(bytes.fromhex(self._secret))
        self.address = Address(self._listener.address[1], self._secret)
        self._starting = Lock()
        self._engine: EngineProcess | None = None
        self._started = 0
        self.deaths: list[int] = []
        """Exit status of each engine that died before the run did."""
        self._closed = False
        Thread(target=self._attend, daemon=True, name="llmval-keeper").start()

    @property
    def log(self) -> Path | None:
        """Where the engine wrote, None when none was started."""
        return self._log if self._started else None

    @property
    def notice(self) -> str:
        """How engines ended, in words; for when `deaths` has any."""
        statuses = ", ".join(map(str, self.deaths))
        then = "was started anew" if len(self.deaths) <= RESTARTS else "was given up"
        return f"the engine process died (exit status {statuses}) and {then}; its log: {self._log}"

    def _attend(self) -> None:
        while not self._closed:
            with suppress(AuthenticationError, EOFError, OSError):
                channel = Channel(self._listener.accept())
                Thread(target=self._serve, args=(channel,), daemon=True, name="llmval-keeper-worker").start()

    def _serve(self, channel: Channel) -> None:
        """Tell one worker where the engine is, each time it asks."""
        with suppress(EOFError, OSError):
            while True:
                channel.send(self._reply(channel.receive().values["lost"]))
        channel.close()

    def _reply(self, lost: int) -> Message:
        with self._starting:
            try:
                engine = self._engine_after(lost)
            except DiedEarly as death:
                return fault_message(ServerError(f"{death}; the end of {self._log}:\n{tail(self._log)}"))
            except (LlmvalError, OSError) as error:
                return fault_message(error)
            return Message({"number": self._started, "port": engine.address.port})

    def _engine_after(self, lost: int) -> EngineProcess:
        """The engine that follows the one numbered `lost`; 0 when the worker knows of none.

        Raises:
            ServerError: If it died too often, cannot be started, or the run is over.
        """
        if self._engine is not None and lost == self._started:
            self._bury(self._engine)
        if self._closed or len(self.deaths) > RESTARTS:
            raise ServerError(self._obituary())
        if self._engine is None:
            self._engine = self._start()
        return self._engine

    def _start(self) -> EngineProcess:
        self._started += 1
        with self._open_log(self._log) as log:
            try:
                engine = EngineProcess.start(self._secret, log)
            except DiedEarly as death:
                self.deaths.append(death.status)
                raise
            log.write(f"engine {self._started}: process {engine.pid}\n")
        return engine

    def _bury(self, engine: EngineProcess) -> None:
        """Note the end of an engine that no longer answers."""
        status = engine.wait(DYING_SECONDS)
        ended = engine.stop()
        self.deaths.append(ended if status is None else status)
        self._engine = None

    def _obituary(self) -> str:
        if self._closed:
            return "the run is over, and its engine ended"
        statuses = ", ".join(map(str, self.deaths))
        return (
            f"the engine process died {len(self.deaths)} times (exit status {statuses}; -9 is killed, perhaps for "
            f"want of memory); the end of {self._log}:\n{tail(self._log)}"
        )

    def close(self) -> None:
        """End the engine. Calling it twice is harmless."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError, AuthenticationError, EOFError):
            Channel.to(self.address).close()  # wakes the thread that waits for workers
        self._listener.close()
        with self._starting:
            if self._engine is not None:
                self._engine.stop()
                self._engine = None
