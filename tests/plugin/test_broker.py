"""Under pytest-xdist one engine process holds the models of all workers."""

import json
import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "example_suites" / "models"
CONFIG = f"""
block = 8
[models.v1]
server = "transformers"
model = {json.dumps(str(MODELS / "v1"))}
[models.v2]
server = "transformers"
model = {json.dumps(str(MODELS / "v2"))}
"""
SUITE = """
from pytest_llmval import cases, assert_no_regression, exact_match

rows = [{"id": f"q{i}", "question": f"Question: how much is item {i}?", "answer": "5"} for i in range(24)]
qa = cases(rows, prompt="{question}", reference="{answer}", max_tokens=12, logprobs=1, temperature=0.7)

@qa.each
def test_each(case, response):
    assert response.error is None

@qa.all
def test_gate(responses, baseline_responses):
    assert len(responses) == len(baseline_responses) == 24
"""
CALLS = """
import json
import pytest
from pytest_llmval import bits_per_byte

def test_calls(llm, llmval_run):
    greedy = llm.generate(["Question: what is open?", "Shop"], max_tokens=8, logprobs=2)
    sampled = llm.generate("Question:", max_tokens=8, temperature=1.0, n=3, seed=5)
    chat = llm.chat([{"role": "user", "content": "what is open?"}], max_tokens=4)
    likelihood = llm.loglikelihood("Question: what", " is open")
    chosen = llm.choose("Question: what is", [" open", " closed", " nothing"])
    bits = bits_per_byte(llm, ["the shop is open", "the shop is closed"])
    logits = llm.logits("Question: what")
    with pytest.raises(ValueError, match="window=100000; expected at most the"):
        llm.perplexity("the shop", window=100000)
    refused = llm.generate("")
    found = [
        [response.text for response in (*greedy, sampled, chat)], sampled.samples, greedy[0].logprobs[0].top,
        likelihood.token_logprobs, likelihood.is_greedy, chosen.logprobs, chosen.index, bits.values,
        llm.perplexity(["the shop is open"]), logits.tolist(), str(logits.dtype), refused.error,
        llm.capabilities.logits,
    ]
    (llmval_run.settings.store.parent / "found.json").write_text(json.dumps(found))

def test_tokenizer(llm):
    assert llm.tokenizer.decode(llm.tokenizer("shop")["input_ids"], skip_special_tokens=True).strip() == "shop"
"""
NO_TORCH = """
import sys
def pytest_sessionfinish(session):
    assert not {"torch", "transformers"} & set(sys.modules), "a process that only asks loads no model"
"""
pytestmark = pytest.mark.models


@pytest.fixture
def suite(pytester):
    """Questions to two of the example models."""
    pytester.path.joinpath("llmval.toml").write_text(CONFIG, encoding="utf-8")
    pytester.makepyfile(test_qa=SUITE)
    return pytester


def run(pytester, *args):
    """Run pytest in a process of its own."""
    versions = ("--model-version=v2", "--baseline-version=v1")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *versions, *args)


def stored(pytester, store):
    """All answers of a store, without what differs between any two runs."""
    found = []
    for path in sorted((pytester.path / store / "runs").glob("*/responses/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            record["response"].pop("timing")
            found.append({name: record[name] for name in ("version", "key", "case_id", "trial", "response")})
    return sorted(found, key=lambda record: (record["version"], record["case_id"]))


def engine_logs(pytester):
    """What engines wrote."""
    return [path.read_text(encoding="utf-8") for path in pytester.path.glob("**/engine.log")]


def test_workers_share_one_engine_and_load_no_model(suite):
    """One engine process for two workers and two versions; texts, ids, logprobs and keys are those of a serial run."""
    alone = run(suite, "--llmval-store=alone")
    suite.makeconftest(NO_TORCH)
    shared = run(suite, "-n", "2", "--llmval-store=shared")
    more = run(suite, "-n", "4", "--llmval-store=more")

    for result in (alone, shared, more):
        result.assert_outcomes(passed=25)
    assert len(stored(suite, "alone")) == 48
    assert stored(suite, "alone") == stored(suite, "shared") == stored(suite, "more")
    assert [log.count("engine 1: process") for log in engine_logs(suite)] == [1, 1]
    assert not any("engine 2" in log for log in engine_logs(suite))


def test_every_call_of_the_handle_gives_what_it_gives_serially(suite):
    """Texts, samples, logprobs, choices, perplexity, logits and refusals, to the last bit."""
    suite.makepyfile(test_qa=CALLS)
    run(suite).assert_outcomes(passed=2)
    alone = (suite.path / "found.json").read_text(encoding="utf-8")
    run(suite, "-n", "2").assert_outcomes(passed=2)

    assert (suite.path / "found.json").read_text(encoding="utf-8") == alone
    assert len(json.loads(alone)) == 13


@pytest.mark.parametrize("options", [(), ("--llmval-offline",)], ids=["rerun", "offline"])
def test_recorded_answers_start_no_engine(suite, options):
    """Who only replays needs none, and no process loads torch or transformers."""
    run(suite).assert_outcomes(passed=25)
    suite.makeconftest(NO_TORCH)

    result = run(suite, "-n", "2", *options)

    result.assert_outcomes(passed=25)
    assert engine_logs(suite) == []


def test_a_model_that_cannot_be_loaded_is_told_to_each_worker(suite):
    """The settings error of the engine process arrives as in a serial run; the run is one of infrastructure."""
    path = suite.path / "llmval.toml"
    text = path.read_text(encoding="utf-8").replace(
        'server = "transformers"', 'server = "transformers"\ndevice = "cuda:9"'
    )
    path.write_text(text, encoding="utf-8")

    result = run(suite, "-n", "2", "-k", "gate")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*model version 'v2': device 'cuda:9': torch * sees * CUDA devices; expected 'auto'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are a POSIX matter")
def test_the_log_is_readable_by_its_owner_only(suite):
    """It may hold prompts."""
    run(suite, "-n", "1", "-k", "q3")

    (log,) = suite.path.glob("**/engine.log")
    assert log.stat().st_mode & 0o777 == 0o600
    assert "*" in (suite.path / ".llmval" / ".gitignore").read_text(encoding="utf-8")
