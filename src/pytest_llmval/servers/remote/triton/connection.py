"""Connection: one protocol in which a Triton server is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.servers.remote.sending import Watch
    from pytest_llmval.servers.remote.triton.dialect import Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the server's repository."""

    name: str
    version: str = ""
    """Empty where none was loaded."""
    state: str = ""
    """`READY`, or what else became of it; empty where it was never loaded."""
    reason: str = ""
    """Why it is not ready."""


class Connection(Protocol):
    """Safe among threads once it is open. All but `close` raise as `Sender.send` does."""

    def open(self) -> None:
        """Make ready to ask; calling it twice is harmless.

        Raises:
            ServerError: If the key, the address or a library cannot be used.
        """

    def config(self, watch: Watch) -> dict[str, Any]:
        """The configuration of the model."""

    def models(self, watch: Watch) -> list[Listed]:
        """The models that the server knows."""

    def pieces(
        self, interface: Interface, inputs: dict[str, list[Any]], watch: Watch, *, several: bool
    ) -> Iterator[Outputs]:
        """The pieces of the answer as they come; just one unless there may be several."""

    def where(self) -> str:
        """Where the model is asked, for messages, without secrets."""

    def cleaned(self, text: str) -> str:
        """A message without the key."""

    def close(self) -> None:
        """Close it; `open` makes another."""
