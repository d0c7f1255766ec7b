"""Launch: how a server is started, before and after it has ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PORT_NAMES = ("port", "grpc_port", "metrics_port")
"""What may stand in braces in a command or an environment value, for a free port each."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A program that knows its ports."""

    command: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    """Beside the variables of this process."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the server of one model version is started."""

    name: str
    """The model version, for messages."""
    command: tuple[str, ...]
    """Program and arguments; `{port}`, `{grpc_port}` and `{metrics_port}` stand for free ports."""
    folder: Path
    """Where it runs."""
    health: tuple[str, ...]
    """Paths such as `/health`: it is ready as soon as a GET on one of them gives 200."""
    timeout: float
    """Seconds it is given to be ready."""
    log: Path
    """Where it writes; added to at each start."""
    env: tuple[tuple[str, str], ...] = ()
    """Environment variables beside those of this process; values may hold ports too."""

    def __post_init__(self) -> None:
        """Refuse a server that cannot be told where to listen.

        Raises:
            SettingsError: If neither command nor environment holds `{port}`.
        """
        if "port" not in self.port_names:
            words = f"model version {self.name!r}: command {list(self.command)!r} does not say where to listen; "
            raise SettingsError(words + "write '{port}' where the port belongs, for example '--port={port}'")

    @property
    def port_names(self) -> tuple[str, ...]:
        """The ports it wants."""
        texts = (*self.command, *(value for _, value in self.env))
        return tuple(name for name in PORT_NAMES if any(f"{{{name}}}" in text for text in texts))

    def at(self, ports: Mapping[str, int]) -> Placed:
        """The program with ports in place of their names; other braces stay, as in arguments that are JSON."""
        return Placed(
            command=tuple(_filled(argument, ports) for argument in self.command),
            folder=self.folder,
            env={key: _filled(value, ports) for key, value in self.env},
        )


def _filled(text: str, ports: Mapping[str, int]) -> str:
    for name, port in ports.items():
        text = text.replace(f"{{{name}}}", str(port))
    return text
