"""Triton: any model of its repository that takes text, over HTTP or gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.servers.reference import Reference
from pytest_llmval.servers.remote.opening import transport_over
from pytest_llmval.servers.remote.triton.http_connection import HttpConnection
from pytest_llmval.servers.remote.triton.sender import TritonSender
from pytest_llmval.servers.remote.triton.server import TritonServer

if TYPE_CHECKING:
    from pytest_llmval.servers.remote.budget import Account
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.triton.connection import Connection
    from pytest_llmval.settings import ModelSettings


def open_triton(model: ModelSettings, endpoint: Endpoint, account: Account) -> TritonServer:
    """The server of a version with `server = "triton"`; nothing is sent yet."""
    reference = Reference(model)
    sender = TritonSender(endpoint, _connection(model, endpoint), reference, model.revision)
    return TritonServer(endpoint, transport_over(model, sender, account), reference, streams=model.streams)


def _connection(model: ModelSettings, endpoint: Endpoint) -> Connection:
    if model.protocol == "grpc":
        from pytest_llmval.servers.remote.triton.grpc_connection import GrpcConnection

        return GrpcConnection(endpoint, model.revision)
    return HttpConnection(endpoint, model.revision, model.concurrency)
