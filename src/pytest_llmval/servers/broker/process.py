"""EngineProcess: started, found alive or dead, and ended with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Self

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.broker.channel import Address

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-P", "-m", "pytest_llmval.servers.broker.service")
GRACE_SECONDS = 5.0
"""What an engine is given to end by itself."""
TAIL_LINES = 15


class DiedEarly(ServerError):  # noqa: N818 - says what happened
    """The engine process ended before it listened."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the engine process ended before it listened (exit status {status})")
        self.status = status


class EngineProcess:
    """One process of the engine, leader of its own process group."""

    def __init__(self, process: subprocess.Popen[str], address: Address) -> None:
        self._process = process
        self.address = address

    @classmethod
    def start(cls, secret: str, log: IO[str]) -> Self:
        """A new engine that writes to `log` and knows the secret.

        Raises:
            DiedEarly: If it ends before it listens.
        """
        # A group of its own: Ctrl-C in the terminal is the owner's to handle, and killing the group leaves nothing.
        process = subprocess.Popen(  # noqa: S603
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        port = _first_words(process, secret)
        if port is None:
            raise DiedEarly(_end(process))
        return cls(process, Address(port, secret))

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Exit status, negative for a signal; None when it is still there after so many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """End it, by force if need be; its exit status."""
        return _end(self._process)


def _first_words(process: subprocess.Popen[str], secret: str) -> int | None:
    """Tell the secret, hear the port; None when the process is gone."""
    if process.stdin is None or process.stdout is None:  # both are pipes
        return None
    try:
        process.stdin.write(secret + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())
    except (OSError, ValueError):
        return None


def _end(process: subprocess.Popen[str]) -> int:
    """Close the pipe, which ends the engine; then kill what is left of its group."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not yet written has no reader any more
                stream.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    _kill_group(process)
    return process.wait()


def _kill_group(process: subprocess.Popen[str]) -> None:
    if os.name != "posix":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says the second of zombies
        os.killpg(process.pid, signal.SIGKILL)


def tail(log: Path) -> str:
    """The last lines of a log, indented; empty when there are none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
