"""A suite is run against a server with the OpenAI interface as against the engine."""

import json

import pytest

SUITE = """
from pytest_llmval import assert_same_answers, cases

rows = [{"id": f"q{i}", "question": f"Question: what does card {i} cost? Answer:"} for i in range(12)]
texts = cases(rows, prompt="{question}", max_tokens=8)
options = [" opens", " closes now"]
questions = [{"id": f"c{i}", "question": f"The library {i}", "options": options, "gold": 0} for i in range(4)]
chosen = cases(questions, prompt="{question}", choices="{options}", answer="{gold}")

@texts.all
def test_texts(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@chosen.all
def test_choices(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@texts.each
def test_each(case, response):
    assert response.timing.attempts >= 1

def test_logprobs(llm):
    assert llm.generate("The library", max_tokens=2, logprobs=1).logprobs

def test_logits(llm):
    assert llm.logits("The library").any()
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
VERSIONS = ("--model-version=served", "--baseline-version=engine", "--llmval-vary=batching")


def _toml(value):
    """A value of TOML, also a table."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture
def suite(pytester, monkeypatch, served, tiny_model):
    """Questions to the engine, and to the server over the same model."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_qa=SUITE)

    def configure(**more):
        lines = {"server": "openai", "url": served.url, "model": "tiny"} | more
        text = "\n".join(f"{key} = {_toml(value)}" for key, value in lines.items())
        folder = json.dumps(str(tiny_model("llama").model))
        pytester.path.joinpath("llmval.toml").write_text(
            f"[models.engine]\nmodel = {folder}\n[models.served]\n{text}\n", encoding="utf-8"
        )

    configure()
    pytester.configure = configure
    return pytester


@pytest.mark.parametrize("distribution", [(), ("-n", "2")], ids=["serial", "xdist"])
def test_the_server_gives_the_engines_answers(suite, distribution):
    """Greedy texts and choices are the same; what the interface lacks skips with its name and why."""
    result = suite.runpytest_subprocess(*QUIET, *VERSIONS, *distribution, "-rs")

    result.assert_outcomes(passed=15, skipped=1)
    result.stdout.fnmatch_lines(
        ["served: 17 answers measured*", "*the openai server of 'served' lacks the capability 'logits'"]
    )


def test_a_server_that_ignores_logprobs_is_found_out(suite, served):
    """It answers without them: what needs them skips, and says what was seen."""
    served.suffer(ignores_logprobs=True)

    result = suite.runpytest_subprocess(*QUIET, *VERSIONS, "-rs", "-k", "logprobs")

    result.assert_outcomes(skipped=1, deselected=15)
    result.stdout.fnmatch_lines(["SKIPPED*lacks the capability 'logprobs': *"])


def test_options_of_a_server_are_sent_with_each_answer(suite, served):
    """Names beyond the interface are for those who know the server; this one refuses what it does not know."""
    suite.configure(options={"repeat_penalty": 1.0})

    result = suite.runpytest_subprocess(*QUIET, "--model-version=served", "-k", "test_each")

    result.stdout.fnmatch_lines(["*unknown parameter repeat_penalty*"])
    assert all(each["body"]["repeat_penalty"] == 1.0 for each in served.asked)


def test_a_server_that_is_down_is_infrastructure(suite):
    """Nothing is concluded from it: status 75, the URL is named, and it is insisted on once and not for each case."""
    suite.configure(url="http://127.0.0.1:9/v1", timeout=1, attempts=2)

    result = suite.runpytest_subprocess(*QUIET, "--model-version=served", "-k", "test_each")

    assert result.ret == 75
    result.assert_outcomes(errors=12, deselected=4)
    result.stdout.fnmatch_lines(["*http://127.0.0.1:9/v1*"])


def test_a_url_stands_for_the_one_model_that_is_served(suite, served):
    """Nothing has to be written down: the server is asked which model it has."""
    suite.path.joinpath("llmval.toml").unlink()

    result = suite.runpytest_subprocess(*QUIET, f"--model-version={served.url}", "-k", "test_each")

    result.assert_outcomes(passed=12, deselected=4)
    result.stdout.fnmatch_lines([f"llmval: {served.url}: 12 answers measured*"])


def test_a_url_with_several_models_asks_for_a_name(suite, served):
    """The names are listed, and what to write."""
    served.suffer(models=["large", "small"])

    result = suite.runpytest_subprocess(*QUIET, f"--model-version={served.url}", "-k", "test_logprobs")

    assert result.ret == 75
    result.stdout.fnmatch_lines(["*the server lists 2 models, so one has to be named: write*known: 'large', 'small'*"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "127.0.0.1:8000"}, "*url = '127.0.0.1:8000'; expected the base URL of the server, such as 'http://*"),
        ({"command": ["server", "{port}"]}, "*'served': both url and command are given; expected the one of a server*"),
        ({"dtype": "float16"}, '*dtype does nothing with server = "openai"; it belongs to "transformers", "vllm"'),
        (
            {"input_price": 1.5},
            "*'served': one of input_price and output_price is missing; expected both, in US dollars*",
        ),
        ({"input_price": -1}, "*input_price = -1; expected US dollars a million tokens, 0 or more"),
        ({"reference": "no/such"}, "*reference = 'no/such' is no Hugging Face model: it has no config.json"),
        ({"api_key_env": "NOT_SET"}, "*the environment variable NOT_SET is not set; expected the key of http://*"),
        ({"concurrency": 0}, "*concurrency = 0; expected a whole number of at least 1"),
        ({"timeout": -1}, "*timeout = -1; expected seconds above 0"),
        ({"streams": "yes"}, "*streams = 'yes'; expected true or false"),
        ({"requests_per_minute": 1.5}, "*requests_per_minute = 1.5; expected a whole number of at least 1"),
    ],
)
def test_wrong_settings_stop_before_any_test(suite, wrong, message):
    """Status 4, with the key and what would be right."""
    suite.configure(**wrong)

    result = suite.runpytest_subprocess(*QUIET, "--model-version=served")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
