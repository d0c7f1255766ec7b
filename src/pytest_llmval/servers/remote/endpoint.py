"""Endpoint: where a remote model is asked, and with which key."""

from __future__ import annotations

import os
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from pytest_llmval.errors import ServerError

HIDDEN = "***"


class Endpoint(Protocol):
    """What the settings of a remote model version say."""

    @property
    def name(self) -> str:
        """Name of the version, for messages."""

    @property
    def url(self) -> str:
        """Base URL, with the version of the interface: `http://127.0.0.1:8000/v1`."""

    @property
    def model(self) -> str:
        """Name of the model, as the server calls it."""

    @property
    def api_key_env(self) -> str | None:
        """Environment variable that holds the key; None where none is sent."""


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
        msg = (
            f"version {endpoint.name!r}: the environment variable {name} is not set; expected the key of {endpoint.url}"
        )
        raise ServerError(msg)
    return key


def shown_url(url: str) -> str:
    """A URL as messages show it: without user, password and query.

    >>> shown_url("https://me:secret@host:8000/v1/?key=secret")
    'https://host:8000/v1'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
