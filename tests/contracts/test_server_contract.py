"""The server contract as a suite has it: against the engine, and without what it needs."""

from __future__ import annotations

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rsP")
SUITE = """
from pytest_llmval.contracts import ServerContract

class TestServer(ServerContract):
    prompts = ["Where is my order?", "Grüße aus Köln, 東京 und"]
"""
UNKNOWN = """
[models.scripted]
server = "scripted"
answers = "answers.jsonl"
"""


def test_the_engine_keeps_it(pytester, models):
    """It is its own reference; it does not stream, which is skipped with the reason."""
    pytester.makepyfile(SUITE)

    result = pytester.runpytest_inprocess(*QUIET, f"--model-version={models / 'v1'}")

    result.assert_outcomes(passed=9, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*the transformers server of 'v1' lacks the capability 'streaming': *"])


def test_workers_keep_it_over_one_engine(pytester, models):
    """Reference and version are the same engine process, whose tokenizer each worker reads itself."""
    pytester.makepyfile(SUITE)

    chosen = ("-n", "2", "-k", "length or once or loglikelihoods")
    result = pytester.runpytest_subprocess(*QUIET, *chosen, f"--model-version={models / 'v1'}")

    result.assert_outcomes(passed=3)


def test_what_needs_a_reference_is_skipped_without_one(pytester):
    """Each reason says what to name; the rest is checked."""
    pytester.makepyfile(SUITE)
    pytester.makefile(".toml", llmval=UNKNOWN)
    pytester.path.joinpath("answers.jsonl").write_text('{"prompt": "*", "text": "We open at nine."}\n')

    result = pytester.runpytest_inprocess(*QUIET, "-k", "greedy or once or length or logl", "--model-version=scripted")

    result.assert_outcomes(skipped=4, deselected=6)
    result.stdout.fnmatch_lines_random(
        [
            *["SKIPPED*nothing is known of the model behind 'scripted': *"] * 3,
            'SKIPPED*the context length is not known: name the model with reference = "…", or set context_length',
        ]
    )


def test_a_server_that_does_not_do_what_it_takes(pytester):
    """A script answers all prompts alike, whatever the stop string and the temperature."""
    pytester.makepyfile(SUITE)
    pytester.makefile(".toml", llmval=UNKNOWN)
    pytester.path.joinpath("answers.jsonl").write_text('{"prompt": "*", "text": "We open at nine."}\n')

    result = pytester.runpytest_inprocess(*QUIET, "-k", "stop_strings or seed or company", "--model-version=scripted")

    result.assert_outcomes(failed=2, passed=1, deselected=7)
    result.stdout.fnmatch_lines_random(
        [
            "E*ModelRegression: server, stop strings: 8 of 8 not as expected",
            "E*came back: 'We open at nine.': the stop string does nothing",
            "E*ModelRegression: server, seed: 3 of 3 not as expected",
            "E*each time, the greedy text: a temperature that does nothing, and so does the seed",
        ]
    )
