"""Whether a server is ready to answer."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from pytest_llmval.servers.process.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable

ANSWER_SECONDS = 2.0
"""What a server is given to answer: one that loads a model may accept and say nothing."""
OK = 200


def is_healthy(port: int, paths: Iterable[str]) -> bool:
    """Whether a GET on one of the paths gives 200; neither proxies nor redirections are followed."""
    return any(_status(port, path) == OK for path in paths)


def _status(port: int, path: str) -> int | None:
    """HTTP status of a GET, None when there is no answer."""
    with closing(HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
