"""A rerun whose answers are all recorded needs no model."""

import json
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
SUITE = """
from pytest_llmval import cases

qa = cases([{"id": f"q{i}", "question": f"what is {i}"} for i in range(4)], prompt="{question}", max_tokens=1)

@qa.each
def test_each(response):
    assert response.finish_reason in {"stop", "length"}
"""
TELL = """
import sys

def pytest_sessionfinish(session):
    loaded = sorted({"torch", "transformers"} & set(sys.modules))
    with open("loaded.jsonl", "a") as file:
        print(__import__("json").dumps(loaded), file=file)
"""


@pytest.mark.models
def test_a_recorded_rerun_imports_neither_torch_nor_transformers(pytester, monkeypatch):
    """The first run loads them in the process that measures; the second in none, plain and under pytest-xdist."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_qa=SUITE)
    pytester.makeconftest(TELL)
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--model-version={MODEL}")
    told = pytester.path / "loaded.jsonl"

    first = pytester.run(*command)
    measured = told.read_text()
    told.unlink()
    reruns = [pytester.run(*command), pytester.run(*command, "-n", "2")]

    first.assert_outcomes(passed=4)
    assert json.loads(measured) == ["torch", "transformers"]
    for rerun in reruns:
        rerun.assert_outcomes(passed=4)
        rerun.stdout.fnmatch_lines(["llmval: *: 0 answers measured, 4 replayed from an earlier run*"])
    assert list(map(json.loads, told.read_text().splitlines())) == [[]] * 4, "one plain, two workers, their controller"
