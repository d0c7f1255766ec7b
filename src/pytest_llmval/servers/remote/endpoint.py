"""Endpoint: where a remote model is asked, and with which key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_llmval.errors import CapabilityMissing, ServerError
from pytest_llmval.servers.server import Location
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from pytest_llmval.servers.process.launched import LaunchedServer

HIDDEN = "***"


class Endpoint(Protocol):
    """The server of a remote model version."""

    @property
    def name(self) -> str:
        """Name of the version, for messages."""

    @property
    def url(self) -> str:
        """Base URL, with the version of the interface: `http://127.0.0.1:8000/v1`."""

    @property
    def model(self) -> str:
        """Name of the model, as the server calls it; empty for the only one that it serves."""

    @property
    def api_key_env(self) -> str | None:
        """Environment variable that holds the key; None where none is sent."""

    def revive(self) -> bool:
        """Start the server anew if it is ours and died; whether that was done, so that the URL is another one.

        Raises:
            ServerError: If it died too often.
        """

    def restart(self) -> None:
        """End the server and start it anew.

        Raises:
            CapabilityMissing: If it is not ours.
        """

    def location(self) -> Location:
        """Where it is found."""

    def peak_memory(self) -> int | None:
        """The most bytes of main memory that it took; None where nobody can tell."""

    def close(self) -> None:
        """End the server if it is ours."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A server that runs anyway."""

    name: str
    url: str = field(repr=False)
    model: str
    api_key_env: str | None = None

    def revive(self) -> bool:
        """It is not ours to start."""
        return False

    def restart(self) -> None:
        """It is not ours to start."""
        msg = (
            f"the server of {self.name!r} at {shown_url(self.url)} was not started by this run: it cannot be restarted"
        )
        raise CapabilityMissing(msg)

    def location(self) -> Location:
        """Its URL is all that is known."""
        return Location(shown_url(self.url))

    def peak_memory(self) -> int | None:
        """It may run on another machine."""
        return None

    def close(self) -> None:
        """It stays."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that this run starts when it is first asked, and ends."""

    name: str
    model: str
    server: LaunchedServer
    path: str = "/v1"
    """What follows the port in its base URL."""
    api_key_env: str | None = None

    @property
    def url(self) -> str:
        """Base URL; the server is started for it."""
        return self.server.url + self.path

    def revive(self) -> bool:
        """Start it anew if it died."""
        return self.server.revive()

    def restart(self) -> None:
        """End it and start it anew."""
        self.server.restart()

    def location(self) -> Location:
        """Where it is found; it is started for it."""
        return Location(self.url, self.server.pid, str(self.server.log), tuple(self.server.deaths))

    def peak_memory(self) -> int | None:
        """The most bytes of main memory that its processes took together."""
        return self.server.peak_memory()

    def close(self) -> None:
        """End it."""
        self.server.stop()


def api_key(endpoint: Endpoint) -> str:
    """The key of an endpoint; empty when it needs none.

    Raises:
        ServerError: If the environment variable is not set.
    """
    name = endpoint.api_key_env
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        whose = shown_url(endpoint.url) or endpoint.model
        msg = f"version {endpoint.name!r}: the environment variable {name} is not set; expected the key of {whose}"
        raise ServerError(msg)
    return key
