"""WardedProcess: this side of the pipe to a warden and its server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING

from pytest_llmval.servers.process import warden
from pytest_llmval.servers.process.memory import peak_memory

if TYPE_CHECKING:
    from pytest_llmval.servers.process.launch import Placed

COMMAND = (sys.executable, "-I", "-S", warden.__file__)
GRACE_SECONDS = 15.0
"""What a server is given to end by itself: vLLM takes 1 s, Triton 4 s."""
WARDEN_SECONDS = 10.0
"""What the warden is given beyond that, to kill and to tell."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the warden has said last."""

    pid: int | None = None
    """Process id of the server, None when it could not be started."""
    status: int | None = None
    """Exit status, negative for a signal; None before the end, or when the warden could not tell."""
    error: str | None = None
    """Why it could not be started."""


class WardedProcess:
    """A server with a warden: however this process ends, they end too, with all the server started."""

    def __init__(self, program: Placed, title: str, log: IO[str]) -> None:
        """Start both; `title` is written to the log before the server writes.

        Raises:
            OSError: If there cannot be another process.
        """
        self.report = Report()
        self.begun, self.ended = Event(), Event()
        """Set once the server was started, or could not be; and once it and all it started are gone."""
        self._hanging_up = Lock()
        # A session of its own: Ctrl-C in the terminal is ours to handle.
        self._warden = subprocess.Popen(  # noqa: S603
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
        order: warden.Order = {
            "owner": os.getpid(),
            "command": list(program.command),
            "folder": str(program.folder),
            "env": dict(program.env),
            "title": title,
            "grace": GRACE_SECONDS,
        }
        self._tell(json.dumps(order).encode() + b"\n")
        Thread(target=self._listen, daemon=True, name="llmval-warden").start()

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it does not run."""
        return None if self.ended.is_set() else self.report.pid

    def peak_memory(self) -> int | None:
        """Bytes the server's processes took at most so far; None when they are gone, or where there is no /proc."""
        return None if self.ended.is_set() else peak_memory(self._warden.pid)

    def stop(self) -> None:
        """End the server, by force if need be, and wait until it is gone. Calling it twice is harmless."""
        self._hang_up()
        if not self.ended.wait(GRACE_SECONDS + WARDEN_SECONDS):
            self._warden.kill()
            self.ended.wait()

    def _tell(self, words: bytes) -> None:
        if self._warden.stdin is not None:  # it is a pipe
            with suppress(OSError):  # nobody listens any more
                self._warden.stdin.write(words)
                self._warden.stdin.flush()

    def _hang_up(self) -> None:
        """Ask for the end in so many words too: a process that we forked may hold the pipe open."""
        with self._hanging_up:
            if self._warden.stdin is not None and not self._warden.stdin.closed:
                self._tell(b"stop\n")
                with suppress(OSError):
                    self._warden.stdin.close()

    def _listen(self) -> None:
        if self._warden.stdout is not None:  # it is a pipe
            with self._warden.stdout as reports:
                for line in reports:
                    self.report = Report(**json.loads(line))
                    self.begun.set()
        self._warden.wait()
        if self.report.status is None:
            self._kill_group()
        self._hang_up()
        self.begun.set()
        self.ended.set()

    def _kill_group(self) -> None:
        """What can be done when somebody has killed the warden."""
        if self.report.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.report.pid, signal.SIGKILL)
