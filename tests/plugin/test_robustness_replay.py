"""A counter-example that was found and made small once is found again in the records, without the model."""

import json
import re
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "example_suites"
SUITE = f"""
from hypothesis import HealthCheck, given, settings
from pytest_llmval import assert_at_most, cases
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.scoring.consistency.searching import search_violation
from pytest_llmval.scoring.consistency.violations import violations
from pytest_llmval.strategies import perturbed

returns = {{"fact": "return-window"}}
faq = cases({str(EXAMPLES / "data" / "faq.jsonl")!r}, where=returns, chat="{{question}}", max_tokens=24)
QUESTION = "How long can I return an item?"

@faq.perturbed(typos(), times=2).all
def test_rate(responses):
    assert_at_most(violations(responses), 0.9)

def test_search(llm):
    found = search_violation(llm, faq, typos(most=4))
    print(found)
    assert found is None

def test_property(llm):
    @settings(max_examples=5, derandomize=True, deadline=None, database=None)
    @given(question=perturbed(QUESTION, typos()))
    def check(question):
        asked = [[{{"role": "user", "content": each}}] for each in (QUESTION, question)]
        before, after = llm.recorded.chat(asked, max_tokens=24)
        assert before.text == after.text, question

    check()
"""
TELL = """
import sys

def pytest_sessionfinish(session):
    loaded = sorted({"torch", "transformers"} & set(sys.modules))
    with open("loaded.jsonl", "a") as file:
        print(__import__("json").dumps(loaded), file=file)
"""


def violation(result):
    """The lines of the violation that a run found, and what its other test shrank to."""
    text = result.stdout.str()
    found = re.search(r"^return-\S+: typos changes the answer.*?\n(?:  .*\n)+", text, re.MULTILINE)
    return found[0], re.findall(r"^E +AssertionError: (How .*|Hwo .*)$", text, re.MULTILINE)


@pytest.mark.models
def test_a_violation_is_found_again_without_the_model(pytester, monkeypatch):
    """With all that Hypothesis tried on the way: later runs measure nothing and load no torch, also under xdist."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_faq=SUITE)
    pytester.makeconftest(TELL)
    model = f"--model-version={EXAMPLES / 'models' / 'v1'}"
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", model)
    told = pytester.path / "loaded.jsonl"

    first = pytester.run(*command)
    told.unlink()
    later = [pytester.run(*command, *more) for more in ((), ("--llmval-offline",), ("-n", "2", "--llmval-offline"))]

    assert "violations of typos" in first.stdout.str()
    assert violation(first)[0].count("\n") == 6
    assert "45 days" in violation(first)[0]
    for run in later:
        assert run.parseoutcomes() == first.parseoutcomes()
        assert violation(run) == violation(first)
        run.stdout.fnmatch_lines(["v1: 0 answers measured, * replayed from an earlier run"])
    assert set(told.read_text().splitlines()) == {json.dumps([])}
