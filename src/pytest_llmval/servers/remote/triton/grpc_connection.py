"""GrpcConnection: Triton over gRPC, by infer, or by a stream of it for models that answer in pieces."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_llmval.errors import RequestRefused, ServerError
from pytest_llmval.servers.process.ports import LOOPBACK
from pytest_llmval.servers.remote.endpoint import HIDDEN, Started, api_key
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.triton.connection import Listed
from pytest_llmval.servers.remote.triton.faults import NO_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.sending import Watch
    from pytest_llmval.servers.remote.triton.dialect import Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface

CONTENTS = {
    "BYTES": "bytes_contents",
    "BOOL": "bool_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "UINT32": "uint_contents",
    "UINT16": "uint_contents",
    "UINT8": "uint_contents",
}
"""Where the values of a datatype go; those of the others go where 32-bit integers do."""
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
REFUSED = frozenset({"INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION", "UNIMPLEMENTED"})
UNAUTHORISED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


class GrpcConnection:
    """Protocol buffers over gRPC to one model."""

    def __init__(self, endpoint: Endpoint, version: str | None) -> None:
        """A connection to a version of the model, or to the one that the server prefers."""
        self._endpoint = endpoint
        self._version = version or ""
        self._channels: dict[str, Any] = {}
        """By address: a server that was started anew is elsewhere."""

    @functools.cached_property
    def _key(self) -> str:
        return api_key(self._endpoint)

    def open(self) -> None:
        """See whether the library is there and the key is set.

        Raises:
            ServerError: If not.
        """
        try:
            import tritonclient.grpc  # noqa: F401
        except ImportError as error:
            msg = f"version {self._endpoint.name!r} needs tritonclient: pip install pytest-llmval[triton]"
            raise ServerError(msg) from error
        _ = self._key

    def where(self) -> str:
        """Address and model."""
        return f"{_address(self._endpoint)}: {self._endpoint.model}"

    def config(self, watch: Watch) -> dict[str, Any]:
        """The configuration of the model, as protobuf writes it in JSON."""
        from google.protobuf.json_format import MessageToDict
        from tritonclient.grpc import service_pb2

        asked = service_pb2.ModelConfigRequest(name=self._endpoint.model, version=self._version)
        found = self._called("ModelConfig", asked, watch)
        config: dict[str, Any] = MessageToDict(found.config, preserving_proto_field_name=True)
        return config

    def models(self, watch: Watch) -> list[Listed]:
        """The models that the server knows."""
        from tritonclient.grpc import service_pb2

        found = self._called("RepositoryIndex", service_pb2.RepositoryIndexRequest(), watch)
        return [Listed(each.name, each.version, each.state, each.reason) for each in found.models]

    def pieces(
        self,
        interface: Interface,
        inputs: dict[str, list[Any]],
        watch: Watch,
        *,
        several: bool,  # noqa: ARG002 - the protocol has it; the stream of one piece is a stream too
    ) -> Iterator[Outputs]:
        """The pieces of the answer as they come."""
        asked = self._infer_request(interface, inputs)
        if not interface.is_decoupled:
            yield _outputs(self._called("ModelInfer", asked, watch))
            return
        for answer in self._streamed(asked, watch):
            if answer.error_message:
                # Streams tell no code. The header that asks for codes makes some releases crash on a refusal.
                raise _refusal(answer.error_message)
            yield _outputs(answer.infer_response)
            watch.check()

    def _infer_request(self, interface: Interface, inputs: dict[str, list[Any]]) -> Any:
        from tritonclient.grpc import service_pb2

        asked = service_pb2.ModelInferRequest(model_name=self._endpoint.model, model_version=self._version)
        for name, values in inputs.items():
            field = interface.inputs[name]
            tensor = asked.inputs.add(name=name, datatype=field.datatype, shape=field.shape(len(values)))
            coded = [value.encode() for value in values] if field.datatype == "BYTES" else values
            getattr(tensor.contents, CONTENTS.get(field.datatype, "int_contents")).extend(coded)
        return asked

    def _called(self, method: str, asked: Any, watch: Watch) -> Any:
        """The answer to a call that has one."""
        return self._translated(lambda stub, options: getattr(stub, method)(asked, **options), watch)

    def _streamed(self, asked: Any, watch: Watch) -> Iterator[Any]:
        """The answers to a call that may have several."""
        found = self._translated(lambda stub, options: stub.ModelStreamInfer(iter([asked]), **options), watch)
        end = object()
        while (answer := self._translated(lambda _stub, _options: next(found, end), watch)) is not end:
            yield answer

    def _translated(self, call: Callable[[Any, dict[str, Any]], Any], watch: Watch) -> Any:
        """What a call returns; what gRPC raises, as one of ours."""
        import grpc

        try:
            return call(self._stub(), {"timeout": watch.longest, "metadata": self._metadata()})
        except grpc.RpcError as error:
            raise _fault(error.code().name, error.details() or "", watch) from error

    def _stub(self) -> Any:
        import grpc
        from tritonclient.grpc import service_pb2_grpc

        address = _address(self._endpoint)
        if address not in self._channels:
            secure = self._endpoint.url.startswith("https://")
            credentials = (grpc.ssl_channel_credentials(),) if secure else ()
            make = grpc.secure_channel if secure else grpc.insecure_channel
            self._channels[address] = make(address, *credentials, options=OPTIONS)
        return service_pb2_grpc.GRPCInferenceServiceStub(self._channels[address])

    def _metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self._key}")] if self._key else []

    def cleaned(self, text: str) -> str:
        """A message without the key."""
        return text.replace(self._key, HIDDEN) if self._key else text

    def close(self) -> None:
        """Close the channels."""
        while self._channels:
            self._channels.popitem()[1].close()


def _address(endpoint: Endpoint) -> str:
    """Host and port; a server of ours has another port for gRPC than for HTTP."""
    if isinstance(endpoint, Started):
        return f"{LOOPBACK}:{endpoint.server.port('grpc_port')}"
    return urlsplit(endpoint.url).netloc.rpartition("@")[2]


def _outputs(answer: Any) -> Outputs:
    from tritonclient.grpc import InferResult

    result = InferResult(answer)
    return {output.name: _values(result.as_numpy(output.name)) for output in answer.outputs}


def _values(tensor: Any) -> list[Any]:
    """Row after row, texts as `str`."""
    found = [] if tensor is None else tensor.reshape(-1).tolist()
    return [each.decode("utf-8", errors="replace") if isinstance(each, bytes) else each for each in found]


def _fault(code: str, details: str, watch: Watch) -> ServerError:
    """The error that a status of gRPC stands for."""
    if code == "NOT_FOUND":
        return NotThere(details)
    if code in REFUSED:
        return _refusal(f"{code}: {details}")
    if code in UNAUTHORISED:
        return ServerError(f"the server refused the key ({code}: {details})")
    if code == "DEADLINE_EXCEEDED":
        return Unanswered(f"no answer within {watch.longest:g} s")
    # Nothing was computed where nobody listens.
    return Unanswered(
        f"{code}: {details}", throttled=code == "RESOURCE_EXHAUSTED", may_be_computed=code != "UNAVAILABLE"
    )


def _refusal(said: str) -> ServerError:
    if NO_MODEL in said:
        return NotThere(said)
    return RequestRefused(f"the server refused the request ({said})")
