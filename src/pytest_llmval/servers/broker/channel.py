"""Channel: JSON messages, and arrays as safetensors, between processes of a run that share its secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    import numpy as np

LOOPBACK = "127.0.0.1"
WAITING = 128
"""Workers that may knock at once."""
HANDSHAKE_SECONDS = 30.0
"""What the other end is given for each word of the handshake; it may be loading a large library."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process of the run listens, and the secret that opens the door."""

    port: int
    secret: str = field(repr=False)
    """Hexadecimal."""


@dataclass(frozen=True, slots=True)
class Message:
    """What travels in one piece."""

    values: dict[str, Any]
    """JSON values; NaN and infinities are kept."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Channel:
    """One end of a connection whose other end knows the secret. Nothing is unpickled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def to(cls, address: Address) -> Self:
        """Knock at an address.

        Raises:
            OSError, EOFError: If nobody is there, or nobody who knows the secret.
        """
        return cls(_introduced(Client((LOOPBACK, address.port)), address.secret, _as_guest))

    @classmethod
    def let_in(cls, connection: Connection, secret: str) -> Self:
        """The channel to who has knocked.

        Raises:
            OSError, EOFError: If it does not know the secret; the connection is closed.
        """
        return cls(_introduced(connection, secret, _as_host))

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: If the other end is gone.
        """
        head = json.dumps({"values": message.values, "has_arrays": bool(message.arrays)}).encode()
        body = _arrays_as_bytes(message.arrays)
        self._connection.send_bytes(head)
        if body:
            self._connection.send_bytes(body)

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

    def waits(self, seconds: float) -> bool:
        """Whether a message, or the end, comes within so many seconds."""
        return self._connection.poll(seconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def listen() -> Listener:
    """A listener on a free port of the loopback device; who knocks has yet to show that it knows the secret."""
    return Listener((LOOPBACK, 0), backlog=WAITING)


def _introduced(connection: Connection, secret: str, introduce: Callable[[Connection, bytes], None]) -> Connection:
    """A connection on which both ends have shown that they know the secret, without telling it."""
    try:
        introduce(connection, bytes.fromhex(secret))
    except (AuthenticationError, AssertionError) as error:  # the second is how Python meets a stranger's words
        connection.close()
        msg = f"it does not know the secret of the run: {error}"
        raise OSError(msg) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _as_host(connection: Connection, key: bytes) -> None:
    other = cast("Connection", _Impatient(connection))
    deliver_challenge(other, key)
    answer_challenge(other, key)


def _as_guest(connection: Connection, key: bytes) -> None:
    other = cast("Connection", _Impatient(connection))
    answer_challenge(other, key)
    deliver_challenge(other, key)


@dataclass(frozen=True, slots=True)
class _Impatient:
    """A connection whose other end may not be silent."""

    connection: Connection

    def send_bytes(self, words: bytes) -> None:
        self.connection.send_bytes(words)

    def recv_bytes(self, most: int) -> bytes:
        if not self.connection.poll(HANDSHAKE_SECONDS):
            msg = f"nothing was said for {HANDSHAKE_SECONDS:.0f} seconds"
            raise OSError(msg)
        return self.connection.recv_bytes(most)


def _arrays_as_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    if not arrays:
        return b""
    from safetensors.numpy import save

    return bytes(save(arrays))
