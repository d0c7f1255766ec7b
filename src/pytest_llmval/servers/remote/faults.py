"""What a server's refusal means: ask again, give this request up, or give the server up."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused, ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.servers.remote.endpoint import Endpoint

TOO_MANY = 429
REPEATABLE = frozenset({408, 409, 425, TOO_MANY})
"""Statuses below 500 that may be gone the next time."""
UNAUTHORISED = frozenset({401, 403})
UNKNOWN = frozenset({404, 405})
OF_THE_ACCOUNT = frozenset({402, 407})
FIRST_CLIENT_ERROR, FIRST_SERVER_ERROR = 400, 500
LONGEST_MESSAGE = 300
OUT_OF_QUOTA = "insufficient_quota"
"""The code under which OpenAI says with status 429 that waiting does not help."""


class Unanswered(ServerError):  # noqa: N818 - says what happened
    """There is no answer, and there may be one when the request is repeated."""

    def __init__(
        self, text: str, *, throttled: bool = False, retry_after: float | None = None, may_be_computed: bool = True
    ) -> None:
        super().__init__(text)
        self.throttled = throttled
        """Whether the server said that it is asked too much."""
        self.retry_after = retry_after
        """Seconds the server wants to be left alone; None when it does not say."""
        self.may_be_computed = may_be_computed
        """Whether an answer may have been made and charged that did not arrive."""


class NotThere(ServerError):  # noqa: N818 - says what happened
    """The server does not know the path or the model."""


def fault_of(endpoint: Endpoint, status: int, headers: Mapping[str, str], text: str) -> ServerError:
    """The error that a status other than 200 stands for."""
    message, code = message_of(text), code_of(text)
    said = f"{status}: {message}" if message else f"{status} without a message"
    if status in UNAUTHORISED:
        return ServerError(f"the server refused the key ({said}); {_key_advice(endpoint)}")
    if status in UNKNOWN:
        return NotThere(
            f"the server knows no such path or model ({said}); expected the base URL with its version, as in "
            f"http://127.0.0.1:8000/v1, and a model that it serves, given model = {endpoint.model!r}"
        )
    if status in OF_THE_ACCOUNT or code == OUT_OF_QUOTA or status < FIRST_CLIENT_ERROR:
        return ServerError(f"the server does not answer this account or address ({said})")
    if status in REPEATABLE or status >= FIRST_SERVER_ERROR:
        wait = seconds_of(headers.get("retry-after"))
        return Unanswered(said, throttled=status == TOO_MANY, retry_after=wait, may_be_computed=False)
    return RequestRefused(f"the server refused the request ({said})")


def _key_advice(endpoint: Endpoint) -> str:
    if endpoint.api_key_env:
        return f"set the environment variable {endpoint.api_key_env} to a valid one"
    return 'none was sent: name the environment variable that holds it with api_key_env = "…"'


def message_of(text: str) -> str:
    r"""The server's own words in the body of a refusal, shortened.

    >>> message_of('{"error": {"message": "too long"}}'), message_of("<html> oh\nno </html>")
    ('too long', '<html> oh no </html>')
    """
    found = _error_of(text)
    words = found.get("message") if isinstance(found, dict) else found
    flat = " ".join((words if isinstance(words, str) else text).split())
    return flat if len(flat) <= LONGEST_MESSAGE else flat[: LONGEST_MESSAGE - 1] + "…"


def code_of(text: str) -> object:
    """The code that the server gives its refusal, None without one."""
    found = _error_of(text)
    return found.get("code") if isinstance(found, dict) else None


def _error_of(text: str) -> Any:
    """What stands under `error`, or under `detail` or `message` in servers of other schools."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    found = next((body[name] for name in ("error", "detail", "message") if body.get(name)), None)
    return found if isinstance(found, dict | str) else None


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, at least 0; None when it is missing or neither number nor date.

    >>> seconds_of("2.5"), seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), seconds_of("soon")
    (2.5, 0.0, None)
    """
    if retry_after is None:
        return None
    try:
        # Through min and max NaN and infinities would survive; a number has only digits and a point.
        if retry_after.strip().replace(".", "", 1).isdecimal():
            return float(retry_after)
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
