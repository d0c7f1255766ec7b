"""RunningServer: one process of a server, from its start on free ports to its end."""

from __future__ import annotations

import shlex
import sys
import time
from typing import IO, TYPE_CHECKING

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.process.health import is_healthy
from pytest_llmval.servers.process.log import said_since, size, tail
from pytest_llmval.servers.process.ports import LOOPBACK, free_ports
from pytest_llmval.servers.process.warded import WardedProcess

if TYPE_CHECKING:
    from pytest_llmval.servers.process.launch import Launch

FIRST_PAUSE, LONGEST_PAUSE, PAUSE_GROWTH = 0.1, 1.0, 1.25
"""Seconds between two looks at a server that starts."""
DYING_SECONDS = 2.0
"""What a server that does not answer is given to be seen dead."""
MEANINGS = {
    -9: " (killed, perhaps for want of memory)",
    0: " (a server has to stay in the foreground)",
}


class PortTakenError(ServerError):
    """Somebody took the port before the server could."""


class RunningServer:
    """A server that was started; that it is healthy remains to be seen."""

    def __init__(self, launch: Launch, number: int, log: IO[str]) -> None:
        """Start the run's so many-th process of this server.

        Raises:
            ServerError: If there cannot be another process, as ever on Windows.
        """
        if sys.platform == "win32":
            words = f"model version {launch.name!r}: servers are started on Linux and macOS only; start it yourself "
            raise ServerError(words + 'and say where it is: url = "http://..."')
        self.ports = free_ports(launch.port_names)
        self._launch, self._placed = launch, launch.at(self.ports)
        self._offset = size(launch.log)
        title = f"server {number}: process {{pid}}: {self._command}\n"
        try:
            self._process = WardedProcess(self._placed, title, log)
        except OSError as error:
            raise ServerError(self.obituary(f"cannot be started: {error}")) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.ports['port']}"

    @property
    def pid(self) -> int | None:
        """Process id of the server itself, None when it does not run."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status once it has ended, negative for a signal; None also when nobody saw it end."""
        return self._process.report.status

    @property
    def _command(self) -> str:
        return shlex.join(self._placed.command)

    def has_ended(self) -> bool:
        """Whether it is gone, with all it started."""
        return self._process.ended.is_set()

    def is_gone(self) -> bool:
        """Whether it has ended, or does so presently; not whether it is stuck."""
        if not self.has_ended() and self._is_healthy():
            return False
        return self._process.ended.wait(DYING_SECONDS)

    def peak_memory(self) -> int | None:
        """Bytes its processes took at most so far; None when they are gone, or where there is no /proc."""
        return self._process.peak_memory()

    def stop(self) -> None:
        """End it. Calling it twice is harmless."""
        self._process.stop()

    def await_health(self) -> None:
        """Come back when the server answers.

        Raises:
            PortTakenError: If it ended because somebody else listens where it should.
            ServerError: If it could not be started, ended, or was not ready in time; it still runs then.
        """
        deadline, pause = time.monotonic() + self._launch.timeout, FIRST_PAUSE
        self._process.begun.wait(self._launch.timeout)
        while not self.has_ended():
            if self._is_healthy():
                return
            if time.monotonic() > deadline:
                raise self._never_healthy()
            self._process.ended.wait(min(pause, deadline - time.monotonic()))
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
        raise self._ended_early()

    def _is_healthy(self) -> bool:
        return is_healthy(self.ports["port"], self._launch.health)

    def _never_healthy(self) -> ServerError:
        paths = " or ".join(self._launch.health)
        return ServerError(
            self.obituary(
                f"was not healthy after {self._launch.timeout:g} s and was ended: no GET of {paths} at {self.url} gave "
                "200; a longer start_timeout or another health path may help"
            )
        )

    def _ended_early(self) -> ServerError:
        if (error := self._process.report.error) is not None:
            return ServerError(self.obituary(f"cannot be started: {error}"))
        taken = "already in use" in said_since(self._launch.log, self._offset).lower()
        words = self.obituary(f"ended with {status_words(self.status)} before it was healthy")
        return PortTakenError(words) if taken else ServerError(words)

    def obituary(self, words: str) -> str:
        """What became of it, with its command and the end of its log."""
        launch, end = self._launch, tail(self._launch.log)
        return (
            f"the server of model version {launch.name!r} {words}\n"
            f"  command: {self._command}\n"
            f"  the end of its log {launch.log}" + (f":\n{end}" if end else ": nothing")
        )


def status_words(status: int | None) -> str:
    """An exit status, and what it may mean.

    >>> status_words(-9)
    'exit status -9 (killed, perhaps for want of memory)'
    """
    if status is None:
        return "an unknown exit status"
    return f"exit status {status}{MEANINGS.get(status, '')}"
