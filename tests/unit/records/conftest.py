"""Records with every field filled."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.records.record import Record
from pytest_llmval.servers.exchange import Choice, Message, Request, Response, Timing, TokenLogprob, Usage


def full_record(text: str = "Yes.", case_id: str = "a", **fields: Any) -> Record:
    """A record in which no field has its default."""
    decoding = Decoding(
        max_tokens=5, temperature=0.5, top_p=0.9, top_k=3, stop=("\n", "."), logprobs=1, json_schema="{}"
    )
    response = Response(
        text=text,
        token_ids=(5, 1),
        logprobs=(TokenLogprob(5, text, -0.5, top=((5, -0.5), (6, -1.5))), TokenLogprob(1, "", -0.25)),
        finish_reason="length",
        usage=Usage(3, 2),
        timing=Timing("2026-01-02T03:04:05.678+00:00", 0.25, 4),
        choice=Choice(1, (-2.0, -1.0), (3, 2)),
        samples=(text, "No."),
        cost=0.5,
        replayed=True,
    )
    return Record(
        **{
            "key": "k1",
            "version": "v1",
            "fingerprint": "f" * 64,
            "case_set": "faq@12345678",
            "case_id": case_id,
            "trial": 2,
            "request": Request((Message("system", "Be kind."), Message("user", text)), ("no", "yes"), decoding, 7),
            "response": response,
            "recorded_at": "2026-01-02T03:04:06.000+00:00",
            "run_id": "r1",
            "test": "test_faq.py::test_a",
            "replayed_from": "r0",
        }
        | fields
    )


@pytest.fixture(scope="session")
def make_record() -> Any:
    """The function that makes a record."""
    return full_record
