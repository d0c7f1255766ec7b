"""Scores written in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import settings

from pytest_llmval.scoring.score import Scores, Unscored

# Property tests here compare numbers, not speed: a busy machine is no failure.
settings.register_profile("numbers", deadline=None)
settings.load_profile("numbers")

Build = Callable[..., Scores]

# What the fields of a metric are when a test does not say.
SHARE = {"name": "rouge_l", "kind": "graded"}
PASSES = {"name": "accuracy", "kind": "binary"}
NATS = {"name": "perplexity", "kind": "unbounded", "bounds": None, "unit": "nats/token", "higher_is_better": False}


def _builder(metric: dict[str, Any]) -> Build:
    def build(values: Sequence[float | Unscored], **fields: Any) -> Scores:
        ids = fields.pop("ids", tuple(f"c{place}" for place in range(len(values))))
        return Scores(**({"ids": tuple(ids), "values": tuple(values)} | metric | fields))

    return build


@pytest.fixture(scope="session")
def graded() -> Build:
    """Scores of a share in [0, 1]; the ids are c0, c1 and so on."""
    return _builder(SHARE)


@pytest.fixture(scope="session")
def binary() -> Build:
    """Scores of 0 and 1."""
    return _builder(PASSES)


@pytest.fixture(scope="session")
def nats() -> Build:
    """Scores without bounds, where lower is better."""
    return _builder(NATS)


@pytest.fixture(scope="session")
def asked_often() -> Callable[..., Scores]:
    """Scores of cases asked more than once: a function of a builder and the values ``[cases, trials]``."""

    def build(builder: Build, table: Sequence[Sequence[float]], **fields: Any) -> Scores:
        rows = tuple(tuple(map(float, row)) for row in table)
        values = [sum(row) / len(row) for row in rows]
        return builder(values, trials=max(map(len, rows)), by_trial=rows, **fields)

    return build
