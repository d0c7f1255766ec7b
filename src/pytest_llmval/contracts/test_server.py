"""The server of any model version."""

from __future__ import annotations

from pytest_llmval.contracts.server import ServerContract


class TestServer(ServerContract):
    """As it is."""
