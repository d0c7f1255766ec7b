"""A suite is run against a model on Triton as against the engine; wrong settings say what would be right."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.servers

SUITE = """
from pytest_llmval import assert_same_answers, cases

questions = [{"id": f"q{i}", "question": f"How do I return item {i}?"} for i in range(8)]
texts = cases(questions, chat="{question}", max_tokens=12)
options = [" You can return it", " Never"]
chosen = cases([q | {"options": options, "gold": 0} for q in questions], prompt="{question}", choices="{options}",
               answer="{gold}")

@texts.all
def test_texts(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@chosen.all
def test_choices(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

def test_logits(llm):
    assert llm.logits("The library").any()
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
VERSIONS = ("--model-version=served", "--baseline-version=engine", "--llmval-vary=batching")


@pytest.fixture
def configure(pytester, monkeypatch, v1_folder):
    """A function that writes the settings of both versions; keys that are None are left out."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_qa=SUITE)

    def write(**keys):
        lines = {"server": "triton", "model": "assistant", "reference": v1_folder} | keys
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items() if value is not None)
        versions = f"[models.engine]\nmodel = {json.dumps(v1_folder)}\n[models.served]\n{text}\n"
        pytester.path.joinpath("llmval.toml").write_text(versions, encoding="utf-8")
        return pytester

    return write


@pytest.mark.models
@pytest.mark.parametrize("distribution", [(), ("-n", "2")], ids=["serial", "xdist"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_triton_gives_the_engines_answers(configure, triton, protocol, distribution):
    """Conversations and choices are the same; what Triton lacks skips with its name and why."""
    url = triton.grpc_url if protocol == "grpc" else triton.url
    pytester = configure(url=url, protocol=protocol)

    result = pytester.runpytest_subprocess(*QUIET, *VERSIONS, *distribution, "-rs")

    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["*the triton server of 'served' lacks the capability 'logits'*"])


NO_SERVER = "*url = ''; expected the base URL of the server, such as 'http://127.0.0.1:8000', or model_repository = *"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, NO_SERVER),
        ({"model_repository": "nowhere"}, "*'served': model_repository: there is no folder *nowhere"),
        ({"url": "127.0.0.1:8000"}, "*url = '127.0.0.1:8000'; expected the base URL*"),
        ({"url": "http://127.0.0.1:8000", "protocol": "https"}, "*unknown protocol 'https'; * known: 'grpc', 'http'*"),
        ({"url": "http://127.0.0.1:8000", "model": None}, "*'served': model = * is missing; give the name by which*"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_settings(configure, wrong, message):
    """The run stops before any test, and says what would be right."""
    result = configure(**wrong).runpytest_subprocess(*QUIET, "--model-version=served")

    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_wrong_settings_under_xdist(configure):
    """The same before any worker is started."""
    result = configure().runpytest_subprocess(*QUIET, "--model-version=served", "-n", "2")

    assert result.ret == 4
    result.stderr.fnmatch_lines([NO_SERVER])
