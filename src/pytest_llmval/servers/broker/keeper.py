"""Keeper: owns the engine process of a run, in the process that outlives the workers."""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import closing, suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING

from pytest_llmval.errors import LlmvalError, ServerError
from pytest_llmval.servers.broker.channel import LOOPBACK, Address, Channel, Message, listen
from pytest_llmval.servers.broker.faults import fault_message
from pytest_llmval.servers.broker.process import EngineProcess
from pytest_llmval.servers.process.log import tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path
    from typing import IO

RESTARTS = 1
"""How often an engine that died is started anew: a fault that comes back would only cost time."""
DYING_SECONDS = 2.0
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
        self._listener = listen()
        self.address = Address(self._listener.address[1], self._secret)
        self._deciding = Lock()
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
            try:
                connection = self._listener.accept()
            except OSError:  # too many open files, say
                time.sleep(0.1)
                continue
            Thread(target=self._serve, args=(connection,), daemon=True, name="llmval-keeper-worker").start()

    def _serve(self, connection: Connection) -> None:
        """Tell one worker where the engine is, each time it asks; whoever else has knocked is sent away."""
        with suppress(EOFError, OSError), closing(Channel.let_in(connection, self._secret)) as channel:
            while True:
                channel.send(self._reply(channel.receive().values["lost"]))

    def _reply(self, lost: int) -> Message:
        with self._deciding:
            try:
                port = self._port_after(lost)
            except (LlmvalError, OSError) as error:
                return fault_message(error)
            return Message({"number": self._started, "port": port})

    def _port_after(self, lost: int) -> int:
        """Where the engine listens that follows the one numbered `lost`; 0 when the worker lost none.

        Raises:
            ServerError: If engines died too often, or the run is over.
            StoreUnwritable: If the log cannot be opened.
        """
        if self._engine is not None and lost == self._started and not self._answers(self._engine):
            self._bury(self._engine)
        while self._engine is None or self._engine.port is None:
            if self._closed or len(self.deaths) > RESTARTS:
                raise ServerError(self._obituary())
            self._start()
        return self._engine.port

    def _answers(self, engine: EngineProcess) -> bool:
        """Whether an engine that a worker lost is there all the same: a connection may end for other reasons."""
        if engine.wait(DYING_SECONDS) is not None or engine.port is None:
            return False
        try:
            Channel.to(Address(engine.port, self._secret)).close()
        except (EOFError, OSError):
            return False
        return True

    def _start(self) -> None:
        self._started += 1
        with self._open_log(self._log) as log:
            engine = self._engine = EngineProcess(self._started, log)
        if not engine.greet(self._secret) or self._closed:
            self._bury(engine)

    def _bury(self, engine: EngineProcess) -> None:
        """End what does not answer, and note how it ended."""
        self._engine = None
        status = engine.stop()
        if not self._closed:
            self.deaths.append(status)

    def _obituary(self) -> str:
        if self._closed:
            return "the run is over, and its engine ended"
        statuses = ", ".join(map(str, self.deaths))
        return (
            f"the engine process died {len(self.deaths)} times (exit status {statuses}; -9 is killed, perhaps for "
            f"want of memory); the end of {self._log}:\n{tail(self._log)}"
        )

    def close(self) -> None:
        """End the engine, also one that is just starting. Calling it twice is harmless."""
        if self._closed:
            return
        self._closed = True
        engine = self._engine
        if engine is not None:
            engine.stop()
        with suppress(OSError):  # wakes the thread that waits for workers
            socket.create_connection((LOOPBACK, self.address.port), timeout=1).close()
        self._listener.close()
