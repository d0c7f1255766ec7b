"""Every test of the tokenizer and chat template contracts fails on a folder with the fault it is for."""

from __future__ import annotations

import json

import pytest
from transformers import AutoTokenizer

from pytest_llmval.contracts import TokenizerContract
from pytest_llmval.errors import ModelRegression

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rs", "--pyargs", "pytest_llmval.contracts")


@pytest.fixture
def held(pytester, models):
    """A function that holds a folder to one test, with v1 as baseline when the test has one."""

    def run(folder, contract, test):
        baseline = [f"--baseline-version={models / 'v1'}", "--llmval-same-weights"] if "baseline" in test else []
        chosen = ("-k", f"{contract} and {test}")
        return pytester.runpytest_inprocess(*QUIET, *chosen, f"--model-version={folder}", *baseline)

    return run


def edit_template(folder, old, new):
    """Replace a part of the chat template."""
    path = folder / "chat_template.jinja"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def edit_tokenizer(folder, **changes):
    """Change values of `tokenizer.json`."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("edit", "test", "message"),
    [
        (("{{ bos_token }}", "{{ bos_token }}{{ bos_token }}"), "faithfully", "at most one BOS stands at the start: *"),
        (("message['content']", "message['content'][:9]"), "faithfully", "the text of every message is rendered: *"),
        (("eos_token", "'.'"), "can_do_what_the_baseline", "*ends_answer_with_control_token: yes -> no"),
        (("'<|assistant|>'", "'<|assistant|> '"), "ids_of_the_baseline", "chat templates differ*"),
    ],
)
def test_a_chat_template_with_a_fault(held, copied, edit, test, message):
    """The test fails and names what is wrong."""
    folder = copied("v1")
    edit_template(folder, *edit)

    result = held(folder, "TestChatTemplate", test)

    result.assert_outcomes(failed=1, deselected=34)
    result.stdout.fnmatch_lines(["E*ModelRegression: *"])
    result.stdout.fnmatch_lines([f"E*{message}"])


@pytest.mark.parametrize(
    ("changes", "test", "message"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "can_do_what_the_baseline", "lowercases: no -> yes"),
        ({"normalizer": {"type": "Lowercase"}}, "ids_of_the_baseline", "tokenizers differ: *"),
    ],
)
def test_a_tokenizer_with_a_fault(held, copied, changes, test, message):
    """The test fails and names what is wrong."""
    folder = copied("v1")
    edit_tokenizer(folder, **changes)

    result = held(folder, "TestTokenizer", test)

    result.assert_outcomes(failed=1, deselected=34)
    result.stdout.fnmatch_lines([f"E*{message}"])


def test_a_chat_template_that_was_lost(held, copied):
    """The baseline has one: a regression. Without a baseline there is nothing to hold it to."""
    folder = copied("v1")
    (folder / "chat_template.jinja").unlink()

    lost = held(folder, "TestChatTemplate", "can_do_what_the_baseline")
    alone = held(folder, "TestChatTemplate", "faithfully")

    lost.assert_outcomes(failed=1, deselected=34)
    lost.stdout.fnmatch_lines(["E*ModelRegression: chat template: the baseline has one -> the candidate has none"])
    alone.assert_outcomes(skipped=1, deselected=34)
    alone.stdout.fnmatch_lines(["SKIPPED*the tokenizer has no chat template"])


def test_a_chat_template_that_is_new(pytester, models, copied):
    """The baseline has none, so that no capability can flip."""
    folder = copied("v1")
    (folder / "chat_template.jinja").unlink()

    result = pytester.runpytest_inprocess(
        *QUIET, "-k", "TestChatTemplate", f"--model-version={models / 'v1'}", f"--baseline-version={folder}"
    )

    result.assert_outcomes(passed=1, skipped=2, deselected=32)
    result.stdout.fnmatch_lines(["SKIPPED*the baseline has no chat template"])


def test_a_tokenizer_that_breaks_an_invariant(copied):
    """Text that does not come back, though it does for the texts that were probed."""

    class Quick(TokenizerContract):
        examples = ("Where is the order?",)
        long_text = 16_384

    folder = copied("v1")
    Quick().test_keeps_what_every_tokenizer_must(AutoTokenizer.from_pretrained(folder))
    replace = {"type": "Replace", "pattern": {"String": "the"}, "content": "X"}
    decoder = json.loads((folder / "tokenizer.json").read_text())["decoder"]
    edit_tokenizer(folder, decoder={"type": "Sequence", "decoders": [decoder, replace]})

    with pytest.raises(ModelRegression, match="lossless, as probed: text comes back: 'the' becomes 'X'"):
        Quick().test_keeps_what_every_tokenizer_must(AutoTokenizer.from_pretrained(folder))
