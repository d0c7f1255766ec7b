"""EngineProcess: started, found alive or dead, and ended with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from threading import Thread
from typing import IO

COMMAND = (sys.executable, "-P", "-m", "pytest_llmval.servers.broker.service")
ANNOUNCEMENT = "llmval engine listens on "
"""What the engine says before its port; whatever else is printed meanwhile goes to the log."""
FIRST_WORDS_SECONDS = 120.0
"""What an engine is given to say where it listens; it has imported nothing heavy by then."""
GRACE_SECONDS = 5.0
"""What an engine is given to end by itself."""


class EngineProcess:
    """One process of the engine, leader of its own process group."""

    port: int | None = None
    """Where it listens, once it has said so."""

    def __init__(self, number: int, log: IO[str]) -> None:
        """Start an engine, the run's so many-th, that writes to `log`.

        It finds modules where this process does, but reads no conftest file.
        """
        # A group of its own: Ctrl-C in the terminal is the owner's to handle, and killing the group leaves nothing.
        self._process = subprocess.Popen(  # noqa: S603
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._number = number
        self._log_descriptor = os.dup(log.fileno())
        self.note(f"process {self.pid}")

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    def note(self, words: str) -> None:
        """Add a line to the log, if there is room for it."""
        with suppress(OSError):
            os.write(self._log_descriptor, f"engine {self._number}: {words}\n".encode())

    def greet(self, secret: str) -> bool:
        """Tell the secret and hear the port; False when the process ends, or says nothing for too long."""
        listening = Thread(target=self._exchange_first_words, args=(secret,), daemon=True)
        listening.start()
        listening.join(FIRST_WORDS_SECONDS)
        return self.port is not None

    def _exchange_first_words(self, secret: str) -> None:
        talk, words = self._process.stdin, self._process.stdout
        if talk is None or words is None:  # both are pipes
            return
        with suppress(OSError, ValueError):
            talk.write(secret + "\n")
            talk.flush()
            for line in words:
                if line.startswith(ANNOUNCEMENT):
                    self.port = int(line.removeprefix(ANNOUNCEMENT))
                    return
                self.note(f"printed {line.rstrip()!r}")

    def wait(self, seconds: float) -> int | None:
        """Exit status, negative for a signal; None when it is still there after so many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """End it, by force if need be; its exit status. Calling it twice is harmless."""
        # Not stdout: closing it would wait for a thread that still listens.
        if self._process.stdin is not None:
            with suppress(OSError):  # what was not yet written has no reader any more
                self._process.stdin.close()
        self.wait(GRACE_SECONDS)
        self._kill_group()
        status = self._process.wait()
        if self._log_descriptor >= 0 and self._process.stdout is not None:
            os.close(self._log_descriptor)
            self._log_descriptor = -1
            self._process.stdout.close()
        return status

    def _kill_group(self) -> None:
        if os.name != "posix":
            self._process.kill()
            return
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says the second of zombies
            os.killpg(self.pid, signal.SIGKILL)
