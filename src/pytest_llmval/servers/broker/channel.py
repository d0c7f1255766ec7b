"""Channel: JSON messages, and arrays as safetensors, between processes of a run that share its secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np

LOOPBACK = "127.0.0.1"
WAITING = 128
"""Workers that may knock at once."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process of the run listens, and the secret that opens the door."""

    port: int
    secret: str
    """Hexadecimal."""

    @property
    def key(self) -> bytes:
        """The secret as both ends use it."""
        return bytes.fromhex(self.secret)


@dataclass(frozen=True, slots=True)
class Message:
    """What travels in one piece."""

    values: dict[str, Any]
    """JSON values; NaN and infinities are kept."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Channel:
    """One end of a connection. Nothing is unpickled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def to(cls, address: Address) -> Self:
        """Knock at an address.

        Raises:
            OSError: If nobody is there.
            multiprocessing.AuthenticationError: If the secret is another one.
        """
        return cls(Client((LOOPBACK, address.port), authkey=address.key))

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: If the other end is gone.
        """
        head = {"values": message.values, "has_arrays": bool(message.arrays)}
        self._connection.send_bytes(json.dumps(head).encode())
        if message.arrays:
            from safetensors.numpy import save

            self._connection.send_bytes(save(message.arrays))

    def receive(self) -> Message:
        """Wait for the next message.

        Raises:
            EOFError, OSError: If the other end is gone.
        """
        head = json.loads(self._connection.recv_bytes())
        if not head["has_arrays"]:
            return Message(head["values"])
        from safetensors.numpy import load

        return Message(head["values"], load(self._connection.recv_bytes()))

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def listen(secret: bytes) -> Listener:
    """A listener on a free port of the loopback device."""
    return Listener((LOOPBACK, 0), backlog=WAITING, authkey=secret)
