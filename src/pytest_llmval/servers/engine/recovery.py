"""After a model broke: its memory is given back, and the request that broke it gets a response that says so."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import torch

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

WANT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "out of memory", "allocate memory", "not enough memory")
"""What Python, torch and its devices say when there is none left."""


def failure(broken: str) -> Response:
    """The response to a request that broke the model without any company."""
    return Response.failed(f"the model failed on this request: {broken}")


def reason(error: Exception) -> str:
    """What broke, in words; unlike the exception, they keep no tensor alive."""
    return f"{type(error).__name__}: {error}"


def refuse_without_memory(responses: Sequence[Response]) -> None:
    """Raise ServerError when none of several requests could be computed for want of memory.

    One that is too large says so in its response; where all are, the machine has failed and not the model.
    """
    errors = [response.error or "" for response in responses]
    if len(errors) > 1 and all(any(words in error for words in WANT_OF_MEMORY) for error in errors):
        msg = f"the engine has no memory for any of {len(errors)} requests; the last one: {errors[-1]}"
        raise ServerError(msg)


def free_memory() -> None:
    """Give back what a failed batch or a closed model held on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
