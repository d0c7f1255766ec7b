"""Warden: the parent of a server, which ends it with all it started once the run that wanted it is gone."""

# Run as a file by a bare interpreter, so that it is there within 30 ms: it imports nothing of this package.
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TypedDict

OWNER_SECONDS = 1.0
"""How often it is looked whether the owner lives: a process that it forked may hold our pipe open."""
KILL_SECONDS = 5.0
"""What the killed are given to be gone: one that hangs in a driver never is."""
POLL_SECONDS = 0.02
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


class Order(TypedDict):
    """What the owner writes, as one line of JSON; any more bytes, or the end of the pipe, mean stop."""

    owner: int
    """Its process id."""
    command: list[str]
    folder: str
    env: dict[str, str]
    """Beside the environment of the owner."""
    title: str
    """Written to the log before the server writes, with `{pid}` for its process id."""
    grace: float
    """Seconds from the request to end until the server is killed."""


class Warden:
    """One server, leader of its own process group and session, and whatever comes of it."""

    status: int | None = None
    """Exit status of the server, negative for a signal; None while it runs."""

    def __init__(self, order: Order) -> None:
        """Start the server; it writes to our stderr.

        Raises:
            OSError: If there is no such program or folder, or they may not be used.
        """
        self._owner, self._grace = order["owner"], order["grace"]
        self._bell = _hang_bell()
        # Whoever loses its parent, having left the group too, becomes our child rather than that of init.
        _control(PR_SET_CHILD_SUBREAPER, 1)
        self._server = subprocess.Popen(  # noqa: S603
            order["command"],
            cwd=order["folder"],
            env=os.environ | order["env"],
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
            preexec_fn=lambda: _introduce(order["title"]),  # noqa: PLW1509 - we have one thread
        )
        self.pid = self._server.pid

    def watch(self) -> None:
        """Come back when the server has ended, or is to end."""
        while self._has_children() and self.status is None:
            ready, _, _ = select.select([sys.stdin.fileno(), self._bell], [], [], OWNER_SECONDS)
            if self._bell in ready:
                os.read(self._bell, 4096)
            if sys.stdin.fileno() in ready or os.getppid() != self._owner:
                break

    def end(self) -> None:
        """End what is left: politely if the server still runs, then by force."""
        if self.status is None:
            self._signal_group(signal.SIGTERM)
            self._wait_for_group()
        deadline = time.monotonic() + KILL_SECONDS
        # Only a process without children has no descendants: /proc may show nobody while a father dies.
        while self._has_children() and time.monotonic() < deadline:
            self._signal_group(signal.SIGKILL)
            for pid in descendants(os.getpid()):
                with suppress(OSError):  # it has just ended, or is another user's
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _wait_for_group(self) -> None:
        """The whole group has the time of grace: a launcher may be gone before the server it launched."""
        deadline = time.monotonic() + self._grace
        while time.monotonic() < deadline:
            self._has_children()
            if not self._signal_group(0):
                return
            time.sleep(POLL_SECONDS)

    def _signal_group(self, number: int) -> bool:
        """Whether there was anybody to hear it."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says the second of zombies
            return False
        return True

    def _has_children(self) -> bool:
        """Whether any are left after those that ended were buried; notes the server's exit status."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[0] == self.pid:
                    self.status = self._server.returncode = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            return False
        return True


def descendants(root: int) -> list[int]:
    """Process ids of all below one, zombies too; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for pid in _process_ids():
        with suppress(OSError):  # it has just ended
            children.setdefault(_parent(pid), []).append(pid)
    found = list(children.get(root, ()))
    for pid in found:  # grows meanwhile
        found += children.get(pid, ())
    return found


def _process_ids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib is slow to import
    except OSError:
        return []


def _parent(pid: int) -> int:
    # The name, in parentheses, may hold anything; state and parent follow it, see proc(5).
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
        return int(stat.read().rpartition(b")")[2].split()[1])


def _hang_bell() -> int:
    """A descriptor that has something to read when a child ends. No signal that asks us to end is heeded.

    Handlers rather than SIG_IGN, which the server would inherit.
    """
    listening, ringing = os.pipe()
    os.set_blocking(ringing, False)
    signal.set_wakeup_fd(ringing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return listening


def _introduce(title: str) -> None:
    """In the new process: be killed should the warden be, and say so much before the server says anything."""
    _control(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):  # no room for it
        os.write(2, title.replace("{pid}", str(os.getpid()), 1).encode(errors="replace"))


def _control(option: int, value: int) -> None:
    """Ask the Linux kernel for something, see prctl(2); nothing happens elsewhere."""
    with suppress(ImportError, AttributeError, OSError):
        import ctypes

        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value))


def _say(**report: int | str | None) -> None:
    with suppress(OSError):  # the owner is gone
        os.write(1, json.dumps(report).encode() + b"\n")


def main() -> None:
    """Serve one order: say the process id or what was wrong, and once nothing is left the exit status."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):  # the owner was gone before it had said what it wants
        return
    try:
        warden = Warden(json.loads(line))
    except OSError as error:
        _say(error=str(error))
        return
    _say(pid=warden.pid)
    warden.watch()
    warden.end()
    _say(pid=warden.pid, status=warden.status)


if __name__ == "__main__":
    main()
