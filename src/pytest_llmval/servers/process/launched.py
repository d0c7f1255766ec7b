"""LaunchedServer: a server of the run's own, started when it is needed, once more after a crash, and ended."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.process.running import PortTakenError, RunningServer, status_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from pytest_llmval.servers.process.launch import Launch

RESTARTS = 1
"""How often a server that died is started anew: a fault that comes back would only cost time."""


class LaunchedServer:
    """The server of one model version; any thread may ask, and those that ask while it starts wait for it."""

    def __init__(self, launch: Launch, open_log: Callable[[Path], IO[str]]) -> None:
        """A server that is not yet started; `open_log` opens its log for appending."""
        self._launch, self._open_log = launch, open_log
        self._deciding = Lock()
        """Held by who starts the server or asks where it is, for as long as that takes."""
        self._holding = Lock()
        """Held for a moment, so that no process begins once the end has begun."""
        self._running: RunningServer | None = None
        self._started = 0
        self.deaths: list[int | None] = []
        """Exit status of each process that died after it was healthy; None where nobody saw it."""
        self._failure: str | None = None
        self._closed = False
        self._peak: int | None = None

    @property
    def log(self) -> Path:
        """Where the server writes."""
        return self._launch.log

    @property
    def pid(self) -> int | None:
        """Process id of the server itself, None when it does not run."""
        running = self._running
        return None if running is None else running.pid

    @property
    def url(self) -> str:
        """Where the server answers; started if need be.

        Raises:
            ServerError: As `port` does.
        """
        with self._deciding:
            return self._healthy().url

    def port(self, name: str = "port") -> int:
        """A port of the server, by its name in the command; started if need be.

        Raises:
            ServerError: If the command has no such port, the server cannot be started, was not healthy in time,
                died too often, or was stopped. A start that failed is not tried again.
        """
        if name not in self._launch.port_names:
            words = f"model version {self._launch.name!r}: command {list(self._launch.command)!r} has no "
            raise ServerError(words + f"{'{' + name + '}'!r}; write it where that port belongs")
        with self._deciding:
            return self._healthy().ports[name]

    def revive(self, lost: str | None = None) -> bool:
        """Start the server anew if it died; whether it may be elsewhere now.

        Args:
            lost: The URL that no longer answered: True then also when somebody else revived the server meanwhile.

        Raises:
            ServerError: If it died too often, cannot be started, or was stopped.
        """
        with self._deciding:
            running = self._running
            if running is not None and not running.is_gone():
                return lost is not None and lost != running.url
            self._healthy()
            return True

    def restart(self) -> None:
        """End the server and start it anew, on purpose, which counts as no crash.

        Raises:
            ServerError: If it cannot be started again, or was stopped.
        """
        with self._deciding:
            self._end(self._running)
            self._running = None
            self._healthy()

    def peak_memory(self) -> int | None:
        """Bytes all processes of the server took at most in this run; None when unknown, as without /proc."""
        self._measure(self._running)
        return self._peak

    def stop(self) -> None:
        """End the server for good, also one that is just starting. Calling it twice is harmless."""
        with self._holding:
            self._closed = True
            running = self._running
        self._end(running)

    def _healthy(self) -> RunningServer:
        """The server that runs, after it was started if there was none."""
        if self._closed:
            raise ServerError(self._end_of_run())
        if self._running is not None and self._running.has_ended():
            self._bury(self._running)
        if self._failure is not None:
            raise ServerError(self._failure)
        return self._running or self._start()

    def _start(self) -> RunningServer:
        try:
            return self._begin_where_nobody_listens()
        except ServerError as error:
            if self._closed:
                raise ServerError(self._end_of_run()) from error
            self._failure = str(error)
            raise

    def _begin_where_nobody_listens(self) -> RunningServer:
        try:
            return self._begin()
        except PortTakenError:
            return self._begin()

    def _begin(self) -> RunningServer:
        with self._holding:
            if self._closed:
                raise ServerError(self._end_of_run())
            self._started += 1
            with self._open_log(self._launch.log) as log:
                running = self._running = RunningServer(self._launch, self._started, log)
        try:
            running.await_health()
        except BaseException:  # Ctrl-C too: a server that is not healthy is not kept
            running.stop()
            self._running = None
            raise
        return running

    def _bury(self, running: RunningServer) -> None:
        """Note how the server died, and whether that was once too often."""
        self._running = None
        self.deaths.append(running.status)
        if len(self.deaths) > RESTARTS:
            ends = ", then ".join(status_words(status) for status in self.deaths)
            self._failure = running.obituary(f"died {len(self.deaths)} times ({ends}) and was given up")

    def _end(self, running: RunningServer | None) -> None:
        if running is not None:
            self._measure(running)
            running.stop()

    def _measure(self, running: RunningServer | None) -> None:
        peak = None if running is None else running.peak_memory()
        if peak is not None:
            self._peak = max(self._peak or 0, peak)

    def _end_of_run(self) -> str:
        return f"the run is over, and the server of model version {self._launch.name!r} was stopped"
