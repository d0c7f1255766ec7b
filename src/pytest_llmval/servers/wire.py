"""Requests and responses as JSON values: for the line to an engine in another process, and for records."""

from __future__ import annotations

from typing import Any

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.servers.exchange import Choice, Request, Response, Timing, TokenLogprob, Usage

OF_THE_PROCESS = ("case", "trials", "replayed", "request")
"""Fields of a response that say what the asking process made of it."""


def response_to_json(response: Response) -> dict[str, Any]:
    """What the server answered, under the names of the fields."""
    data = fields_of(response)
    for name in OF_THE_PROCESS:
        del data[name]
    logprobs, choice = response.logprobs, response.choice
    return data | {
        "usage": fields_of(response.usage),
        "timing": fields_of(response.timing),
        "logprobs": None if logprobs is None else tuple(map(fields_of, logprobs)),
        "choice": None if choice is None else fields_of(choice),
    }


def request_to_json(request: Request) -> dict[str, Any]:
    """The request under the names of its fields."""
    decoding = fields_of(request.decoding)
    if decoding["json_schema"] is None:  # records from before there were schemas keep their keys
        del decoding["json_schema"]
    return fields_of(request) | {"prompt": prompt_to_json(request.prompt), "decoding": decoding}


def prompt_to_json(prompt: str | tuple[Message, ...]) -> Any:
    """A prompt, messages under the names of their fields."""
    return prompt if isinstance(prompt, str) else tuple(map(fields_of, prompt))


def prompt_from_json(data: Any) -> str | tuple[Message, ...]:
    """The prompt that `prompt_to_json` wrote."""
    return data if isinstance(data, str) else tuple(Message(**each) for each in data)


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass with slots, as they are; `dataclasses.asdict` copies each, at ten times the cost."""
    return {name: getattr(value, name) for name in value.__slots__}


def request_from_json(data: dict[str, Any]) -> Request:
    """The request that `request_to_json` wrote.

    Raises:
        KeyError, TypeError: If a field is missing or unknown.
    """
    decoding = data["decoding"]
    return Request(
        prompt=prompt_from_json(data["prompt"]),
        choices=tuple(data["choices"]),
        decoding=Decoding(**(decoding | {"stop": tuple(decoding["stop"])})),
        seed=data["seed"],
    )


def response_from_json(data: dict[str, Any]) -> Response:
    """The response that `response_to_json` wrote.

    Raises:
        KeyError, TypeError: If a field is missing or unknown.
    """
    logprobs, choice = data["logprobs"], data["choice"]
    changes = {
        "token_ids": tuple(data["token_ids"]),
        "samples": tuple(data["samples"]),
        "usage": Usage(**data["usage"]),
        "timing": Timing(**data["timing"]),
        "logprobs": None if logprobs is None else tuple(map(_token_logprob, logprobs)),
        "choice": None if choice is None else Choice(**{name: _tuple(value) for name, value in choice.items()}),
    }
    return Response(**(data | changes))


def _token_logprob(data: dict[str, Any]) -> TokenLogprob:
    return TokenLogprob(**(data | {"top": tuple((token, logprob) for token, logprob in data["top"])}))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
