"""The example suites against servers that others wrote, each over the weights of v1."""

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "example_suites"
BIN = Path(sys.executable).parent
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rs")
SAME = f"""
from pytest_llmval import assert_same_answers, cases

faq = cases({str(SUITES / "data/faq.jsonl")!r}, chat="{{question}}", max_tokens=48)
totals = cases({str(SUITES / "data/orders.jsonl")!r}, chat="{{question}}", max_tokens=64)
quiz = cases({str(SUITES / "data/quiz.jsonl")!r}, chat="{{question}}", choices="{{options}}", answer="{{gold}}")

@faq.all
def test_faq_texts(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@totals.all
def test_totals(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@quiz.all
def test_quiz_choices(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)
"""


def interpreter(name):
    """That of a server's own environment, which its make target makes."""
    variable = f"LLMVAL_{name.upper()}_PYTHON"
    path = Path(os.environ.get(variable, ROOT / ".venv" / name / "bin" / "python"))
    assert path.exists(), f"there is no {path}: make .venv/{name}/ready, or name an interpreter in {variable}"
    return path


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs files against a version of the example suites, with v1 as the baseline."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")

    def run_(version, *files, baseline="v1", more="", environment=""):
        config = (SUITES / "llmval.toml").read_text(encoding="utf-8") + more
        config = re.sub(r'"((?:models|serving)/)', rf'"{SUITES}/\1', config)
        if environment:
            config = config.replace(f"../.venv/{environment}/bin/python", str(interpreter(environment)))
        pytester.path.joinpath("llmval.toml").write_text(config, encoding="utf-8")
        pytester.makepyfile(test_same=SAME)
        named = (f"--model-version={version}", f"--baseline-version={baseline}", f"--rootdir={pytester.path}")
        return pytester.runpytest_subprocess(*QUIET, *named, "--llmval-config=llmval.toml", *files, timeout=1500)

    return run_


@pytest.fixture(scope="session")
def suites():
    """Folder of the example suites."""
    return SUITES
