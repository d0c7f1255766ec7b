"""Verdicts and summaries in a line."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmval.reports.summary import Gate, Summary
from pytest_llmval.verdicts.verdict import Counts, Outcome, Verdict


def verdict_of(outcome: str = "equivalent", **fields: Any) -> Verdict:
    """A verdict on a share, 0.8 -> 0.79 over 100 cases."""
    return Verdict(
        **{
            "outcome": Outcome(outcome),
            "metric": "rouge_l",
            "kind": "no_regression",
            "headline": "rouge_l 0.800 -> 0.790",
            "baseline": 0.8,
            "candidate": 0.79,
            "delta": -0.01,
            "low": -0.02,
            "high": 0.005,
            "counts": Counts(100, 100),
            "evidence": {"candidate": {"bounds": [0.0, 1.0]}},
        }
        | fields
    )


def gate_of(outcome: str = "equivalent", test: str = "suites/test_faq.py::test_a", **fields: Any) -> Gate:
    """A verdict with its test."""
    return Gate(test, verdict_of(outcome, **fields))


def summary_of(*outcomes: str | Gate, **fields: Any) -> Summary:
    """A summary of gates, each in a test of its own."""
    gates = [
        each if isinstance(each, Gate) else gate_of(each, f"test_faq.py::test_{n}") for n, each in enumerate(outcomes)
    ]
    return Summary(**{"run_id": "r1", "candidate": "v2", "baseline": "v1", "gates": gates} | fields)


@pytest.fixture(scope="session")
def verdict() -> Any:
    """The function that makes a verdict."""
    return verdict_of


@pytest.fixture(scope="session")
def gate() -> Any:
    """The function that makes a gate."""
    return gate_of


@pytest.fixture(scope="session")
def summary() -> Any:
    """The function that makes a summary."""
    return summary_of
