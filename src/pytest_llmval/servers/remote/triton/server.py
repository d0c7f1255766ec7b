"""TritonServer: one model of a Triton server, asked as if it had the OpenAI interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.servers.remote.openai import OpenAIServer
from pytest_llmval.servers.remote.triton.sender import NO_TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import Request
    from pytest_llmval.servers.reference import Reference
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.replies import Answered
    from pytest_llmval.servers.remote.transport import Transport


class TritonServer(OpenAIServer):
    """A model that takes text: what it lacks is found as for any server, conversations need a reference."""

    def __init__(
        self, endpoint: Endpoint, transport: Transport, reference: Reference, *, streams: bool = False
    ) -> None:
        """A server that is asked over a transport with a `TritonSender`; nothing is asked yet."""
        super().__init__(endpoint, transport, reference=reference, streams=streams, name="triton")
        self._renders = reference.is_known

    def ask(self, requests: Sequence[Request], *, streams: bool | None = None) -> list[Answered]:
        """As any server does.

        Raises:
            CapabilityMissing: If there are conversations, and no template for them.
        """
        if not self._renders and any(not isinstance(request.prompt, str) for request in requests):
            self._lack("chat", NO_TEMPLATE)
        return super().ask(requests, streams=streams)
