"""What an exception of litellm means: ask again, give this request up, or give the model up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.faults import (
    FIRST_CLIENT_ERROR,
    FIRST_SERVER_ERROR,
    UNAUTHORISED,
    Unanswered,
    fault_of,
    message_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llmval.servers.remote.endpoint import Endpoint

TIMED_OUT = 408
"""What litellm says when nothing came in time."""


def fault_behind(endpoint: Endpoint, error: Exception, longest: float) -> ServerError:
    """The error that an exception of litellm stands for.

    Its own class says little: a connection that was refused, a page of HTML and a missing key are all an internal
    error of the server. What happened is further down the chain.

    Args:
        endpoint: The model.
        error: What litellm raised.
        longest: Seconds that the attempt was given.
    """
    chain = list(chain_of(error))
    for each in chain:
        if isinstance(each, ServerError):
            return each
        response = _response_in(each)
        if response is not None and response.is_error:
            return refusal(endpoint, response.status_code, response.headers, _text_of(response))
    return _without_response(endpoint, error, chain[-1], longest)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it was raised from, what that was raised from, …."""
    following: BaseException | None = error
    while following is not None:
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ if hidden else following.__context__


def _response_in(error: BaseException) -> httpx.Response | None:
    """What came back, if an exception holds it; those of litellm hold responses that it made up."""
    is_made_up = type(error).__module__.startswith("litellm.") and not isinstance(error, httpx.HTTPStatusError)
    response = getattr(error, "response", None)
    return response if isinstance(response, httpx.Response) and not is_made_up else None


def _text_of(response: httpx.Response) -> str:
    try:
        return response.text
    except httpx.StreamError:  # it was never read
        return ""


def refusal(endpoint: Endpoint, status: int, headers: Mapping[str, str], text: str) -> ServerError:
    """The error that a status other than 200 stands for; as for any server, but for where the key comes from."""
    if status in UNAUTHORISED and not endpoint.api_key_env and not endpoint.url:
        msg = (
            f"no key, or not the right one ({status}: {message_of(text)}); litellm takes it from the environment "
            'variable of the provider, such as OPENAI_API_KEY: set that, or name another with api_key_env = "…"'
        )
        return ServerError(msg)
    return fault_of(endpoint, status, headers, text)


def _without_response(endpoint: Endpoint, error: Exception, first: BaseException, longest: float) -> ServerError:
    if isinstance(first, ImportError):
        return ServerError(f"litellm asks this model with another library, which has to be installed: {first}")
    status = getattr(error, "status_code", None)
    if status == TIMED_OUT:
        return Unanswered(f"no answer within {longest:g} s ({type(first).__name__})")
    if isinstance(first, json.JSONDecodeError):
        return Unanswered(f"the answer is not JSON: {first.doc[:80]!r}")
    if not isinstance(status, int) or not FIRST_CLIENT_ERROR <= status < FIRST_SERVER_ERROR:
        return Unanswered(f"{type(first).__name__}: {message_of(str(first))}")
    return refusal(endpoint, status, {}, str(error))
