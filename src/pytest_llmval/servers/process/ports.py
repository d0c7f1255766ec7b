"""Free ports of the loopback interface, none given twice by this process."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK = "127.0.0.1"

_choosing = Lock()
_given: set[int] = set()
"""A server binds its port late, perhaps a minute after it was chosen: until then it looks free to the next one."""


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A port for each name that nobody listens on now."""
    with _choosing, ExitStack() as held:
        ports = {name: _free_port(held) for name in names}
        _given.update(ports.values())
        return ports


def _free_port(held: ExitStack) -> int:
    """One that was never given; the sockets tried stay open, so that none is offered twice."""
    while True:
        probe = held.enter_context(socket.socket())
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        if port not in _given:
            return port
