"""The models that a server with the OpenAI interface says it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import ServerError, nearest
from pytest_llmval.servers.remote.payloads import Post
from pytest_llmval.servers.remote.replies import expected_shape

if TYPE_CHECKING:
    from pytest_llmval.servers.remote.transport import Transport


def only_model(version: str, transport: Transport) -> str:
    """The name of the one model that is served.

    Raises:
        ServerError: If there is another number of them; the message lists them.
    """
    body = transport.post(Post("models", None, expects="")).body
    with expected_shape(body):
        names = [str(each["id"]) for each in body["data"]]
    if len(names) != 1:
        msg = (
            f"version {version!r}: the server lists {len(names)} models, so one has to be named: write "
            f'[models.NAME] with server = "openai", url and model = "…" into llmval.toml; {nearest("", names)}'
        )
        raise ServerError(msg)
    return names[0]
