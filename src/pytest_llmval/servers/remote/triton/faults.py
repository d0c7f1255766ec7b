"""What the refusals of a Triton server mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import ServerError, nearest
from pytest_llmval.servers.remote.faults import UNKNOWN, NotThere, fault_of, message_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.triton.connection import Listed

NO_MODEL = "unknown model"
"""What Triton says of a model that is not there or not ready, under statuses that differ among its releases."""


def http_fault(endpoint: Endpoint, status: int, headers: Mapping[str, str], text: str) -> ServerError:
    """The error that a status other than 200 stands for; a refusal may come as an event of a stream."""
    text = text.strip().removeprefix("data:")
    message = message_of(text)
    if status in UNKNOWN or NO_MODEL in message:
        return NotThere(message or f"{status} without a message")
    return fault_of(endpoint, status, headers, text)


def not_ready(name: str, version: str | None, said: NotThere, models: Sequence[Listed]) -> ServerError:
    """The error for a model that cannot be asked, with the models that can be."""
    wanted = f"{name!r}" + (f" in version {version!r}" if version else "")
    of_it = [each for each in models if each.name == name]
    if not of_it:
        known = nearest(name, {each.name for each in models})
        return ServerError(f"the server has no model {wanted} ({said}); {known}")
    states = "; ".join(_state(each) for each in of_it)
    return ServerError(f"the model {wanted} is not ready ({said}); the server has {states}")


def _state(model: Listed) -> str:
    version = f" version {model.version!r}" if model.version else ""
    reason = f" ({' '.join(model.reason.split())[:200]})" if model.reason else ""
    return f"{model.name!r}{version} {model.state or 'not loaded'}{reason}"
