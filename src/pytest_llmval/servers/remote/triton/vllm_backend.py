"""VllmBackend: the dialect of Triton's backend for vLLM, where the options are one text of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.remote.triton.dialect import lacking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.remote.triton.dialect import Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface

SAMPLING, RETURN_LOGPROBS = "sampling_parameters", "return_logprobs"
OPTIONS = ("max_tokens", "temperature", "top_k", "top_p", "seed", "stop")


class VllmBackend:
    """The dialect of one model."""

    known = frozenset({SAMPLING, RETURN_LOGPROBS})

    def __init__(self, interface: Interface) -> None:
        self._interface = interface

    def inputs(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The options under the names of vLLM's sampling parameters."""
        options = {name: payload[name] for name in OPTIONS if name in payload}
        most = payload.get("top_logprobs", payload.get("logprobs"))
        if payload.get("echo") or most is None or most is False:
            return {SAMPLING: json.dumps(options)}
        if RETURN_LOGPROBS not in self._interface.inputs:
            raise lacking(self._interface, "logprobs", most, [RETURN_LOGPROBS])
        return {SAMPLING: json.dumps(options | {"logprobs": most}), RETURN_LOGPROBS: True}

    def logprobs(self, pieces: Sequence[Outputs]) -> dict[str, Any] | None:
        """Those of the chosen tokens and of the most probable ones."""
        tables = _tables(pieces)
        if not tables:
            return None
        chosen = [next(iter(table.values())) for table in tables]
        return {
            "tokens": [entry["decoded_token"] or "" for entry in chosen],
            "token_logprobs": [entry["logprob"] for entry in chosen],
            "top_logprobs": [{each["decoded_token"]: each["logprob"] for each in table.values()} for table in tables],
        }

    def token_ids(self, pieces: Sequence[Outputs]) -> list[int]:
        """Known where logprobs were asked for."""
        return [int(next(iter(table))) for table in _tables(pieces)]


def _tables(pieces: Sequence[Outputs]) -> list[dict[str, dict[str, Any]]]:
    """For each token what is told of tokens at its place, by their ids, the one that was chosen first."""
    found = [json.loads(text) or [] for piece in pieces for text in piece.get("logprobs", ())[:1]]
    return [table for tables in found for table in tables]
