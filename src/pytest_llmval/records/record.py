"""Record: a request with its response and everything needed to say where it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.servers.wire import (
    fields_of,
    request_from_json,
    request_to_json,
    response_from_json,
    response_to_json,
)

if TYPE_CHECKING:
    from pytest_llmval.servers.exchange import Request, Response

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

    @property
    def answer(self) -> Response:
        """The response with its request."""
        return replace(self.response, request=self.request)


def record_key(fingerprint: str, request: Request, case_id: str, trial: int) -> str:
    """The key under which a response may stand for a new one."""
    return content_hash([fingerprint, request_to_json(request), case_id, trial])


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values, under the names of its fields. The case itself is in the dataset, not here."""
    data = fields_of(record)
    return data | {"request": request_to_json(record.request), "response": response_to_json(record.response)}


def from_json(data: dict[str, Any]) -> Record:
    """The record that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: If the data is no record of this schema.
    """
    if data["schema"] != SCHEMA:
        msg = f"schema {data['schema']!r}; this version reads {SCHEMA}"
        raise ValueError(msg)
    answer = data["response"] | {"replayed": data["replayed_from"] is not None}
    return Record(**(data | {"request": request_from_json(data["request"]), "response": response_from_json(answer)}))


def taken_over(data: dict[str, Any], version: str) -> dict[str, Any]:
    """A record of an earlier run, as `to_json` wrote it, as one of another run; the version may have a new name.

    Raises:
        KeyError, TypeError: If the data is no record.
    """
    return data | {"version": version, "replayed_from": data["replayed_from"] or data["run_id"]}
