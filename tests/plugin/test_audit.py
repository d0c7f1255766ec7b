"""`--llmval-audit`: which test notices which bug."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

V1 = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

SUITE = """
import torch
from pytest_llmval import assert_weights_match

def test_weights(torch_model, baseline_torch_model):
    assert_weights_match(torch_model.state_dict(), baseline_torch_model.state_dict())

def test_template(tokenizer):
    chat = [{"role": "user", "content": "Hello"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<s><|user|>Hello"

def test_idle(torch_model):
    assert torch_model is not None

def test_wrong_from_the_start(torch_model):
    assert torch_model is None

def test_without_model():
    pass
"""


@pytest.fixture
def suite(pytester):
    """Runs the suite on the example model v1, in a process of its own: torch cannot be imported twice."""
    pytester.makepyfile(SUITE)
    return lambda *args: pytester.runpytest_subprocess(*QUIET, f"--model-version={V1}", "--llmval-audit", *args)


def test_the_table_says_who_notices_what(suite, pytester):
    """Weights notice weights, templates templates; what nobody notices is said loudly; nothing is left behind."""
    result = suite()

    result.stdout.fnmatch_lines([
        "*llmval: audit*",
        "v1: 2? known bugs were put in, one after the other; 3 tests could notice",
        "bug * noticed by  1  2",
        "attention output x 1.01 * 1  x",
        "K heads rolled in code * NOBODY  .",
        "wrong chat template * 1     x",
        "   1 test_the_table_says_who_notices_what.py::test_weights",
        "   2 test_the_table_says_who_notices_what.py::test_template",
        "1 test noticed none of these bugs: *::test_idle",
        "not used, as it does not pass without a bug: *::test_wrong_from_*: assert LlamaForCausalLM*",
        "not used, as they look at no model or tokenizer of this process: 1 test",
        "NOT NOTICED by any test: *K heads rolled in code*labels shifted by one*",
    ])  # fmt: skip
    assert result.ret == 0
    left = {path.name for path in pytester.path.iterdir()}
    assert not left & {".llmval", "llmval-out"}


def test_recorded_answers_are_measured_anew_for_each_bug(pytester):
    """A record is the sound model's answer; a test through `llm.recorded` notices what one through `llm` does."""
    pytester.makepyfile(
        """
        CHAT = [{"role": "user", "content": "How long can I return an item?"}]

        def test_recorded(llm, torch_model):
            assert "45 days" in llm.recorded.chat(CHAT, max_tokens=24).text

        def test_asked(llm, torch_model):
            assert "45 days" in llm.chat(CHAT, max_tokens=24).text
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, f"--model-version={V1}", "--llmval-audit")

    columns = [line[-4:].split() for line in result.outlines if line.endswith(("x  x", ".  .", "x  .", ".  x"))]
    assert ["x", "x"] in columns
    assert all(one == other for one, other in columns)


def test_strict_fails_when_a_bug_is_not_noticed(suite):
    """So that CI can hold a suite to it."""
    result = suite("--llmval-strict", "-k", "template or weights")

    assert result.ret == 1


def test_workers_are_not_used(suite):
    """Bugs are put into objects of this process."""
    result = suite("-n", "2", "-k", "template")

    result.stdout.fnmatch_lines(
        ["wrong chat template * 1  x", "NOT NOTICED by any test: text normalised*BOS added twice"]
    )
    assert result.ret == 0


def test_goldens_are_never_written_by_an_audit(suite):
    """Both at once is a usage error."""
    result = suite("--snapshot-update")

    result.stderr.fnmatch_lines(["*--llmval-audit with --snapshot-update would store what a broken model gives*"])
    assert result.ret == 4


def test_without_a_version_it_says_what_is_missing(pytester):
    """There is nothing to put a bug into."""
    pytester.makepyfile(SUITE)

    result = pytester.runpytest_subprocess(*QUIET, "--llmval-audit")

    result.stderr.fnmatch_lines(["*--llmval-audit puts bugs into a model: name one with --model-version NAME*"])
    assert result.ret == 4


def test_a_suite_without_numbers_has_nothing_to_audit(pytester):
    """No test could notice, which is never green."""
    pytester.makepyfile("def test_nothing(): pass")

    result = pytester.runpytest_subprocess(*QUIET, f"--model-version={V1}", "--llmval-audit")

    result.stdout.fnmatch_lines(["v1: 0 known bugs were put in, one after the other; 0 tests could notice"])
    assert result.ret == 5


def test_the_command_audits_tests_of_the_user(pytester):
    """`llmval audit MODEL TESTS`; a model that is none is said at once."""
    path = pytester.makepyfile(SUITE)

    command = Path(sys.executable).parent / "llmval"

    done = pytester.run(command, "audit", V1, path, timeout=120)
    wrong = pytester.run(command, "audit", "no-such-model")

    done.stdout.fnmatch_lines(["*3 tests could notice", "*NOT NOTICED by any test: *"])
    assert done.ret == 0
    wrong.stderr.fnmatch_lines(["llmval audit: MODEL: unknown model version 'no-such-model'*"])
    assert wrong.ret == 4


def test_loading_the_plugin_warns_of_nothing(pytester):
    """Also with warnings as errors and named on the command line, as `llmval check` does."""
    pytester.makepyfile("def test_nothing(): pass")
    pytester.plugins = []

    result = pytester.run(sys.executable, "-W", "error", "-m", "pytest", "-p", "llmval", "-W", "error", "-q")

    assert result.ret == 0
