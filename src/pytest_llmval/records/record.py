"""Record: a request with its response and everything needed to say where it came from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.servers.exchange import Choice, Request, Response, Timing, TokenLogprob, Usage

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One trial of a case, as kept on disk."""

    key: str
    """Hash of model fingerprint, request and trial: equal keys are the same question to the same model."""
    version: str
    """Name of the model version."""
    fingerprint: str
    """Digest of the version's fingerprint; the manifest has its parts."""
    case_set: str
    """Name and hash of the case set; empty for a direct call of a test."""
    case_id: str
    trial: int
    request: Request
    response: Response
    recorded_at: str
    """ISO 8601, UTC."""
    run_id: str
    """Run that measured it."""
    test: str = ""
    """Node id of the test, for a direct call."""
    replayed_from: str | None = None
    """Run whose measurement this repeats; None when it was measured here."""
    schema: int = SCHEMA


def record_key(fingerprint: str, request: Request, case_id: str, trial: int) -> str:
    """The key under which a response may stand for a new one."""
    return content_hash([fingerprint, dataclasses.asdict(request), case_id, trial])


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values, under the names of its fields. The case itself is in the dataset, not here."""
    response = dataclasses.replace(record.response, case=None, trials=(), replayed=False)
    data = dataclasses.asdict(dataclasses.replace(record, response=response))
    for name in ("case", "trials", "replayed"):
        del data["response"][name]
    return data


def from_json(data: dict[str, Any]) -> Record:
    """The record that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: If the data is no record of this schema.
    """
    if data["schema"] != SCHEMA:
        msg = f"schema {data['schema']!r}; this version reads {SCHEMA}"
        raise ValueError(msg)
    return Record(**(data | {"request": _request(data["request"]), "response": response_from_json(data["response"])}))


def _request(data: dict[str, Any]) -> Request:
    prompt = data["prompt"]
    decoding = data["decoding"]
    return Request(
        prompt=prompt if isinstance(prompt, str) else tuple(Message(**each) for each in prompt),
        choices=tuple(data["choices"]),
        decoding=Decoding(**(decoding | {"stop": tuple(decoding["stop"])})),
        seed=data["seed"],
    )


def response_from_json(data: dict[str, Any]) -> Response:
    """The response as it stands in a record.

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
