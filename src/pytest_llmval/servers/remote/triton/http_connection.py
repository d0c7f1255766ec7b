"""HttpConnection: Triton over HTTP, by its generate extension or, where that is missing, by infer."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_llmval.errors import RequestRefused, ServerError
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.http_sender import OK, HttpSender, outside_faults, whole_text
from pytest_llmval.servers.remote.streaming import events
from pytest_llmval.servers.remote.triton.connection import Listed
from pytest_llmval.servers.remote.triton.faults import NO_MODEL, http_fault
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.sending import Watch
    from pytest_llmval.servers.remote.triton.dialect import Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface


class HttpConnection(HttpSender):
    """JSON over HTTP to one model."""

    def __init__(self, endpoint: Endpoint, version: str | None, keep_alive: int) -> None:
        """A connection to a version of the model, or to the one that the server prefers."""
        super().__init__(endpoint, keep_alive)
        self._path = f"v2/models/{quote(endpoint.model, safe='')}"
        self._path += f"/versions/{quote(version, safe='')}" if version else ""
        self._has_generate = True

    def where(self) -> str:
        """URL of the model, without user, password and query."""
        return f"{shown_url(self.endpoint.url)}/{self._path}"

    def config(self, watch: Watch) -> dict[str, Any]:
        """The configuration of the model."""
        found = self._whole("GET", f"{self._path}/config", None, watch)
        if not isinstance(found, dict):
            msg = f"the model's configuration is {found!r:.80}; expected a JSON object"
            raise Unanswered(msg)
        return found

    def models(self, watch: Watch) -> list[Listed]:
        """The models that the server knows."""
        found = self._whole("POST", "v2/repository/index", {}, watch)
        return [Listed(**{name: entry[name] for name in Listed.__slots__ if name in entry}) for entry in found]

    def pieces(
        self, interface: Interface, inputs: dict[str, list[Any]], watch: Watch, *, several: bool
    ) -> Iterator[Outputs]:
        """The pieces of the answer as they come."""
        if self._has_generate:
            try:
                yield from self._generated(inputs, watch, several=several)
            except NotThere as missing:
                if NO_MODEL in str(missing):
                    raise
                self._has_generate = False
            else:
                return
        yield self._inferred(interface, inputs, watch)

    def _generated(self, inputs: dict[str, list[Any]], watch: Watch, *, several: bool) -> Iterator[Outputs]:
        given = {name: values[0] if len(values) == 1 else values for name, values in inputs.items()}
        if not several:
            yield _outputs(self._whole("POST", f"{self._path}/generate", given, watch), RequestRefused)
            return
        with self._answering("POST", f"{self._path}/generate_stream", given, watch) as response:
            for event in events(response.iter_lines()):
                yield _outputs(_json(event), Unanswered)
                watch.check()

    def _inferred(self, interface: Interface, inputs: dict[str, list[Any]], watch: Watch) -> Outputs:
        if interface.is_decoupled:
            msg = (
                f"the server has no generate extension, and the model {interface.name!r} is decoupled, so that infer "
                'cannot ask it over HTTP; expected protocol = "grpc"'
            )
            raise NotThere(msg)
        fields = [(interface.inputs[name], values) for name, values in inputs.items()]
        given = [
            {"name": field.name, "datatype": field.datatype, "shape": field.shape(len(values)), "data": values}
            for field, values in fields
        ]
        body = self._whole("POST", f"{self._path}/infer", {"inputs": given}, watch)
        if not isinstance(body, dict) or not isinstance(body.get("outputs"), list):
            msg = f"the answer has no outputs: {body!r:.200}"
            raise Unanswered(msg)
        return {output["name"]: output["data"] for output in body["outputs"]}

    def _whole(self, method: str, path: str, payload: dict[str, Any] | None, watch: Watch) -> Any:
        with self._answering(method, path, payload, watch) as response:
            return _json(whole_text(response, watch))

    @contextmanager
    def _answering(
        self, method: str, path: str, payload: dict[str, Any] | None, watch: Watch
    ) -> Iterator[httpx.Response]:
        """The answer to a request that was accepted, to be read within."""
        url = f"{self.endpoint.url.rstrip('/')}/{path}"
        with (
            outside_faults(self.endpoint, watch),
            self._client.stream(method, url, json=payload, timeout=watch.longest) as response,
        ):
            if response.status_code != OK:
                response.read()
                raise http_fault(self.endpoint, response.status_code, response.headers, response.text)
            yield response


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        msg = f"the answer is not JSON: {text[:80]!r}"
        raise Unanswered(msg) from error


def _outputs(body: Any, fault: type[ServerError]) -> Outputs:
    """The outputs in an answer of generate, which gives a single value without brackets; errors come like answers."""
    if not isinstance(body, dict):
        msg = f"the answer is no JSON object: {body!r:.80}"
        raise Unanswered(msg)
    if "error" in body:
        msg = f"the server broke the answer off: {body['error']}"
        raise fault(msg)
    return {name: value if isinstance(value, list) else [value] for name, value in body.items()}
