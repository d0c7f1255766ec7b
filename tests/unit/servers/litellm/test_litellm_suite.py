"""A suite is run through litellm as against the engine."""

import json

import pytest

pytestmark = pytest.mark.servers

SUITE = """
from pytest_llmval import assert_same_answers, cases

rows = [{"id": f"q{i}", "question": f"What does card {i} cost?"} for i in range(6)]
texts = cases(rows, prompt="{question}", max_tokens=8)
talks = cases(rows, chat="{question}", max_tokens=8)
options = [" opens", " closes now"]
questions = [{"id": f"c{i}", "question": f"The library {i}", "options": options, "gold": 0} for i in range(3)]
chosen = cases(questions, prompt="{question}", choices="{options}", answer="{gold}")

@texts.all
def test_texts(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@talks.all
def test_talks(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)
    assert all(response.timing.first_token_seconds for response in responses)
    assert all(response.cost == (response.usage.prompt_tokens + 2 * response.usage.completion_tokens) / 1e6
               for response in responses)

@chosen.all
def test_choices(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

def test_logits(llm):
    assert llm.logits("The library").any()
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-Werror")
VERSIONS = ("--model-version=hosted", "--baseline-version=engine", "--llmval-vary=batching")


@pytest.fixture
def suite(pytester, monkeypatch, served, tiny_model):
    """Questions to the engine, and through litellm to the server over the same model."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_qa=SUITE)
    lines = {"server": "litellm", "model": "openai/tiny", "url": served.url, "streams": True}
    lines |= {"input_price": 1.0, "output_price": 2.0}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())
    folder = json.dumps(str(tiny_model("llama").model))
    pytester.path.joinpath("llmval.toml").write_text(
        f"[models.engine]\nmodel = {folder}\n[models.hosted]\n{text}\n", encoding="utf-8"
    )
    return pytester


@pytest.mark.parametrize("distribution", [(), ("-n", "2")], ids=["serial", "xdist"])
def test_the_provider_gives_the_engines_answers(suite, distribution):
    """Texts, conversations with the time of their first token and their cost, and choices; warnings are errors."""
    result = suite.runpytest_subprocess(*QUIET, *VERSIONS, *distribution, "-rs")

    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["*the litellm server of 'hosted' lacks the capability 'logits'*"])


def test_a_name_without_a_provider_is_infrastructure(suite):
    """Nothing is concluded: status 75, and what a name looks like."""
    path = suite.path / "llmval.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("openai/tiny", "tiny"), encoding="utf-8")

    result = suite.runpytest_subprocess(*QUIET, "--model-version=hosted", "-k", "logits or texts")

    assert result.ret == 75
    result.stdout.fnmatch_lines(
        ["*litellm knows no provider of model = 'tiny'; expected the provider before the name*"]
    )
