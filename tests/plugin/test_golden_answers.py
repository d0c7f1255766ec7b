"""Golden answers as users see them: writing, comparing, accepting and deleting, serial and over workers."""

import json

import pytest
import torch  # noqa: F401 - a second run in this process that imports it anew would end the process

import pytest_llmval.fixtures.goldens.assertion  # noqa: F401 - and one that imports this anew would have two kinds of Tol

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:rerunfailures")

SUITE = """
import json
from dataclasses import replace
from pathlib import Path

from pytest_llmval.case_sets.case import Case
from pytest_llmval.scoring.golden.tolerances import *
from pytest_llmval.servers.exchange import Choice, Decoding, Request, Response, TokenLogprob

given = json.loads(Path(__file__).with_name("given.json").read_text())

def answer(text, *ids, finish_reason="stop", error=None, logprobs=None, prompt="what is 1", **decoding):
    told = tuple(TokenLogprob(*each[:3], tuple(map(tuple, each[3]))) for each in logprobs) if logprobs else None
    ids = ids or tuple(each.token_id for each in told or ())
    request = Request(prompt, decoding=Decoding(**decoding))
    return Response(text, ids, told, finish_reason, error=error, request=request)

"""
ONE = 'def test_one(golden):\n    assert answer(given["text"]) == golden\n'


@pytest.fixture
def suite(pytester, monkeypatch):
    """A module whose answers stand in a file beside it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the inner run is nobody's worker

    class Suite:
        path = pytester.path
        file = pytester.path / "__snapshots__" / "test_a.golden"

        def write(self, tests=ONE, /, name="test_a", **given):
            pytester.makepyfile(**{name: SUITE + tests})
            self.give(**given)

        def give(self, **given):
            (pytester.path / "given.json").write_text(json.dumps(given))

        def run(self, *args, **given):
            if given:
                self.give(**given)
            return pytester.runpytest(*QUIET, *args)

    return Suite()


def test_a_missing_golden_fails(suite, distribution):
    """Nothing was compared, so nothing passes; the message says how to write one, and nothing is written."""
    suite.write(text="it is 1")

    result = suite.run(*distribution)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: there is no golden 'test_one' in __snapshots__/test_a.golden: nothing was compared",
            "E * look at the answer, then write it by: pytest --snapshot-update test_a.py::test_one",
            "1 snapshot failed.",
        ]
    )
    assert not suite.file.exists()


def test_update_writes_what_later_runs_compare_with(suite, distribution):
    """An unchanged answer passes, and an update without changes leaves every byte."""
    suite.write(text="it is 1")

    written = suite.run("--snapshot-update", *distribution)
    before = suite.file.read_bytes()
    compared = suite.run(*distribution)
    suite.run("--snapshot-update", *distribution)

    written.assert_outcomes(passed=1)
    written.stdout.fnmatch_lines(["1 snapshot generated."])
    compared.assert_outcomes(passed=1)
    compared.stdout.fnmatch_lines(["1 snapshot passed."])
    assert compared.ret == 0
    assert suite.file.read_bytes() == before


def test_the_file_is_one_a_reviewer_can_read(suite):
    """A text by lines, one token a line, non-ASCII as it is, what cannot be seen spelt out."""
    suite.write(
        'def test_one(golden):\n    assert answer(given["text"], logprobs=given["logprobs"], max_tokens=8) == golden\n',
        text="Grüße,\nsie\x1b\ud800",
        logprobs=[[5, "Grüße", -0.123456, [[5, -0.123456], [7, -2.5]]], [2, ",", -0.00001, []]],
    )

    suite.run("--snapshot-update")

    lines = suite.file.read_text(encoding="utf-8").split("\n")
    assert lines[:20] == [
        "# serializer version: llmval-1",
        "# name: test_one",
        "  [",
        "    {",
        '      "text": [',
        '        "Grüße,\\n",',
        '        "sie\\u001b\\ud800"',
        "      ],",
        '      "finish_reason": "stop",',
        '      "tokens": [',
        '        [5, "Grüße", -0.1235, [[5, -0.1235], [7, -2.5]]],',
        '        [2, ",", 0.0]',
        "      ],",
        '      "prompt": [',
        '        "what is 1"',
        "      ],",
        '      "decoding": {"max_tokens": 8, "temperature": 0.0},',
        lines[17],
        lines[18],
        "    }",
    ]
    assert lines[17].startswith('      "environment": {"device": "cpu", "machine": ')
    assert lines[18].startswith('      "origin": {"version": "", "fingerprint": "", "plugin": "0')
    assert suite.run().ret == 0


def test_a_changed_answer_fails_with_one_readable_message(suite, distribution):
    """What differs word by word and at which token, by which rule, who wrote it and how to accept it."""
    suite.write(
        'def test_one(golden):\n    assert answer(given["text"], logprobs=given["logprobs"]) == golden\n',
        text="You can return it within 30 days.",
        logprobs=[[1, "You", -0.1, []], [30, " 30", -0.25, [[30, -0.25], [14, -2.0]]]],
    )
    suite.run("--snapshot-update")

    result = suite.run(
        *distribution,
        text="You can return it within 14 days.",
        logprobs=[[1, "You", -0.1, []], [14, " 14", -0.5, [[14, -0.5], [30, -1.0]]]],
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * ModelRegression: the answer differs from its golden",
            "E * words, [[]-of the golden-] and {+of the answer+}:",
            "E * You can return it within [[]-30-]{+14+} days.",
            "E * first token that differs: 1, ' 30' (id 30) -> ' 14' (id 14)",
            # e to the power of -0.25 and -2, and of -1 and -0.5
            "E * probabilities by the version of the golden: 0.7788 and 0.1353, 1.7500 nats apart",
            "E * probabilities by the version of the answer: 0.3679 and 0.6065, 0.5000 nats apart",
            "E * rule: exact: the text differs",
            "E * written 20*+00:00 by pytest-llmval *; version: no model version named",
            "E * golden 'test_one' in __snapshots__/test_a.golden",
            "E * to accept: pytest --snapshot-update test_a.py::test_one",
            "test_a.py:*: ModelRegression",
        ],
        consecutive=False,
    )
    assert "golden_answers.py" not in result.stdout.str()


def test_update_accepts_a_change_and_touches_nothing_else(suite, distribution):
    """The other entries keep every byte."""
    text = 'import pytest\n\n@pytest.mark.parametrize("i", range(12))\ndef test_many(golden, i):\n'
    suite.write(text + '    assert answer(given["text"][i]) == golden\n', text=["same"] * 12)
    suite.run("--snapshot-update")
    before = suite.file.read_text(encoding="utf-8").split("# ---\n")

    result = suite.run("--snapshot-update", *distribution, text=["same"] * 5 + ["other"] + ["same"] * 6)

    result.stdout.fnmatch_lines(["11 snapshots passed. 1 snapshot updated."])
    after = suite.file.read_text(encoding="utf-8").split("# ---\n")
    changed = [old.split("\n")[0] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["# name: test_many[5]"]
    suite.run(*distribution).assert_outcomes(passed=12)


def test_many_tests_of_one_module_lose_nothing_over_workers(suite):
    """Two workers write one file at the same time."""
    text = 'import pytest\n\n@pytest.mark.parametrize("i", range(60))\ndef test_many(golden, i):\n'
    suite.write(text + "    assert f\"answer {i} {given['word']}\" == golden\n", word="a")

    created = suite.run("--snapshot-update", "-n", "2")
    updated = suite.run("--snapshot-update", "-n", "2", word="b")

    created.stdout.fnmatch_lines(["60 snapshots generated."])
    updated.stdout.fnmatch_lines(["60 snapshots updated."])
    suite.run("-n", "2").assert_outcomes(passed=60)
    names = [line for line in suite.file.read_text().split("\n") if line.startswith("# name")]
    assert names == sorted(names)
    assert [each.name for each in suite.file.parent.iterdir()] == ["test_a.golden"]


TWO = """
def test_one(golden):
    assert "first" == golden
    assert "second" == golden(name="second")

def test_two(golden):
    assert "third" == golden
"""


def test_unused_goldens_are_reported_and_deleted_on_update(suite, distribution):
    """A test that is gone, and an assertion that is gone from a test that is not."""
    suite.write(TWO)
    suite.run("--snapshot-update")
    suite.write(
        TWO.replace("def test_two", "def check_two").replace('    assert "second" == golden(name="second")\n', "")
    )

    reported = suite.run(*distribution)
    warned = suite.run("--snapshot-warn-unused", *distribution)
    deleted = suite.run("--snapshot-update", *distribution)

    assert (reported.ret, warned.ret, deleted.ret) == (1, 0, 0)
    reported.stdout.fnmatch_lines(["1 snapshot passed. 2 snapshots unused."])
    deleted.stdout.fnmatch_lines(["1 snapshot passed. 2 unused snapshots deleted."])
    assert suite.file.read_text().count("# name: ") == 1


def test_goldens_of_tests_that_did_not_run_stay(suite, distribution):
    """Deselected or skipped, also with --snapshot-update."""
    suite.write(TWO)
    suite.run("--snapshot-update")
    before = suite.file.read_bytes()

    deselected = suite.run("--snapshot-update", "-k", "one", *distribution)
    suite.write(TWO.replace("def test_two", "import pytest\n\n@pytest.mark.skip\ndef test_two"))
    skipped = suite.run("--snapshot-update", *distribution)

    assert (deselected.ret, skipped.ret) == (0, 0)
    assert suite.file.read_bytes() == before


@pytest.mark.parametrize("skipped", ["golden", "snapshot"])
def test_neither_syrupys_snapshots_nor_golden_answers_take_the_others_files(suite, distribution, skipped):
    """Also where all tests of one kind are skipped, as without a model version, while the others are updated."""
    kinds = {kind: f"def test_text({kind}):\n    assert 'a text' == {kind}\n" for kind in ("golden", "snapshot")}
    for kind, text in kinds.items():
        suite.write(text, name=f"test_{kind}")
    suite.run("--snapshot-update")
    before = {path.name for path in suite.file.parent.iterdir()}
    suite.write(f"import pytest\n\n@pytest.mark.skip\n{kinds[skipped]}", name=f"test_{skipped}")

    result = suite.run("--snapshot-update", *distribution)

    assert before == {"test_golden.golden", "test_snapshot.ambr"}
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["1 snapshot passed."])
    assert {path.name for path in suite.file.parent.iterdir()} == before


def test_a_module_without_golden_answers_any_more_loses_its_file_on_update(suite):
    """As long as some test of the run uses the fixture."""
    suite.write()
    suite.write("def test_other(golden):\n    assert 'x' == golden\n", name="test_b", text="it is 1")
    suite.run("--snapshot-update")
    suite.write("def test_one(): pass\n")

    suite.run("--snapshot-update").stdout.fnmatch_lines(["1 snapshot passed. 1 unused snapshot deleted."])

    assert not suite.file.exists()


DAMAGE = {
    "conflict": (lambda lines: [*lines[:5], "<<<<<<< HEAD", *lines[5:]], "line 6: expected a line of 'test_one'*"),
    "cut": (lambda lines: lines[:6], "line 6: the file ends within 'test_one': cut off"),
    "json": (lambda lines: [*lines[:6], *lines[7:]], "line 7: *"),
    "twice": (
        lambda lines: [*lines[:-1], *lines[1:]],
        "line *: 'test_one' stands here a second time, as after a merge",
    ),
    "newer": (
        lambda lines: ["# serializer version: llmval-9", *lines[1:]],
        "line 1: expected *llmval-1*, got *llmval-9*",
    ),
    "field": (
        lambda lines: [each for each in lines if '"origin"' not in each and '"environment"' not in each],
        "line *",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_fails_with_line_and_reason_and_is_not_replaced(suite, kind):
    """Also with --snapshot-update."""
    suite.write(text="it is 1")
    suite.run("--snapshot-update")
    damage, reason = DAMAGE[kind]
    suite.file.write_text("\n".join(damage(suite.file.read_text().split("\n"))))
    before = suite.file.read_bytes()

    for result in (suite.run(), suite.run("--snapshot-update")):
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                f"E * InvalidComparison: the golden file *test_a.golden cannot be read: {reason}",
                "E * restore it, or finish the merge; it holds all golden answers of test_a.py: *-update test_a.py",
            ]
        )
    assert suite.file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "\ud800", "a\x00\x1b[31mb\u202e\r\n\x85c", "# ---\n# name: test_two\n  x"])
def test_strange_answers_are_kept_and_compared(suite, distribution, text):
    """Empty, half a character, control characters, and what reads like the file's own layout."""
    suite.write(text=text)
    suite.run("--snapshot-update", *distribution)

    same, other = suite.run(*distribution), suite.run(*distribution, text=text + "\udc00x")

    same.assert_outcomes(passed=1)
    other.assert_outcomes(failed=1)
    other.stdout.fnmatch_lines(["E * ModelRegression: the answer differs from its golden"])
    suite.file.read_text(encoding="utf-8")


def test_a_megabyte_is_compared_fast_and_told_shortly(suite):
    """A word changed in the middle of 1 MB is shown with what stands around it."""
    suite.write(
        'def test_one(golden):\n    assert answer("many words here " * 66_000 + given["text"] + " end" * 9) == golden\n'
    )
    suite.run("--snapshot-update", text="old")

    result = suite.run(text="new")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *words here [[]-old-]{+new+} end end*"])
    assert len(result.stdout.str()) < 4000


def test_a_response_without_an_answer_is_infrastructure_and_never_a_golden(suite, distribution):
    """It neither passes nor counts as a regression, also with --snapshot-update; the golden stays."""
    suite.write('def test_one(golden):\n    assert answer("it is 1", error=given["error"]) == golden\n', error=None)
    suite.run("--snapshot-update")
    before = suite.file.read_bytes()

    for more in ((), ("--snapshot-update",)):
        result = suite.run(*distribution, *more, error="the server hung up")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E *ServerError: there is no answer, *golden: the server hung up"])
        assert result.ret == 75  # every failure was infrastructure
    assert suite.file.read_bytes() == before


def test_a_changed_question_is_refused_naming_what_changed(suite, distribution):
    """Not a regression: the answers cannot be compared. What only tells more of the answer does not count."""
    suite.write('def test_one(golden):\n    assert answer("it is 1", **given) == golden\n')
    suite.run("--snapshot-update", prompt="what is one", max_tokens=48, logprobs=None)

    result = suite.run(*distribution, prompt="what is two", max_tokens=64)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: the answer and its golden are not comparable: what is asked changed",
            "E * prompt: what is [[]-one-]{+two+}",
            "E * max_tokens: 48 -> 64",
            "E * to accept: pytest --snapshot-update test_a.py::test_one",
        ]
    )


def test_a_golden_of_another_environment_is_named_and_not_taken_silently(suite, distribution):
    """The summary says so where it passes, and the message where it fails."""
    suite.write(
        'def test_one(golden):\n    assert given["text"] == golden(environment={"attention": given["attention"]})\n',
        text="it is 1",
        attention="eager",
    )
    suite.run("--snapshot-update")

    passed = suite.run(*distribution, text="it is 1", attention="sdpa")
    failed = suite.run(*distribution, text="it is 2", attention="sdpa")
    at_home = suite.run(text="it is 2", attention="eager")

    passed.assert_outcomes(passed=1)
    advice = "golden(per_environment=True) keeps one for each"
    passed.stdout.fnmatch_lines([f"1 golden answer of another environment passed (attention eager -> sdpa); {advice}"])
    failed.stdout.fnmatch_lines(
        [f"E * the golden was written in another environment: attention eager -> sdpa; {advice}"]
    )
    at_home.assert_outcomes(failed=1)
    at_home.stdout.no_fnmatch_line("*another environment*")


def test_one_golden_an_environment(suite, distribution):
    """Each has its own under the same name; one of this environment that is missing is not made up for by another."""
    suite.write(
        "def test_one(golden):\n"
        '    kept = golden(per_environment=True, environment={"attention": given["attention"]})\n'
        '    assert given["text"] == kept\n',
        text="it is 1",
        attention="eager",
    )
    suite.run("--snapshot-update")

    missing = suite.run(*distribution, text="it is 1", attention="sdpa")
    suite.run("--snapshot-update", *distribution, text="it is one", attention="sdpa")

    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(
        ["E * InvalidComparison: there is no golden of this environment, only of: attention eager, *: nothing was *"]
    )
    assert suite.file.read_text().count("# name: ") == 1
    for text, attention, outcome in (
        ("it is 1", "eager", "passed"), ("it is one", "sdpa", "passed"),
        ("it is one", "eager", "failed"), ("it is 1", "sdpa", "failed"),
    ):  # fmt: skip
        suite.run(text=text, attention=attention).assert_outcomes(**{outcome: 1})


MIXED = """
import numpy as np
import pytest
from pytest_llmval import Tol

WRONG = {
    "text": lambda golden: "x" == golden(tolerance="rouge_l"),
    "class": lambda golden: "x" == golden(tolerance=RougeL),
    "bar": lambda golden: "x" == golden(tolerance=RougeL(at_least=2)),
    "name": lambda golden: "x" == golden(tolerance=SameText(normalise="whitespaces")),
    "tensor": lambda golden: np.ones(3) == golden(tolerance=SameTokens()),
    "answer": lambda golden: "x" == golden(tol=Tol(rtol=1e-3)),
    "both": lambda golden: "x" == golden(tol=Tol(rtol=1e-3), per_environment=True),
    "flag": lambda golden: "x" == golden(per_environment="yes"),
    "json": lambda golden: "x" == golden(tolerance=JsonLike()),
    "typo": lambda golden: '{"id": 1}' == golden(tolerance=JsonLike(ignore=("$.ids",))),
    "tokens": lambda golden: "x" == golden(tolerance=SameTokens()),
    "option": lambda golden: Choice(0, (-1.0, -2.0)) == golden(tolerance=RougeL()),
    "mixture": lambda golden: [answer("x"), "y"] == golden,
    "twins": lambda golden: [replace(answer("x"), case=case) for case in 2 * [Case("q", {}, "")]] == golden,
}

@pytest.mark.parametrize("kind", WRONG)
def test_wrong(golden, kind):
    assert WRONG[kind](golden)
"""


def test_what_is_wrong_is_refused_at_once_with_what_would_be_right(suite):
    """Also with --snapshot-update, which writes nothing then."""
    suite.write(MIXED)

    result = suite.run("--snapshot-update")

    result.assert_outcomes(failed=14)
    result.stdout.fnmatch_lines(
        [
            "E * TypeError: tolerance='rouge_l'; expected SameTokens(), *RougeL(at_least=0.9)*, or None for the very *",
            "E * TypeError: tolerance=<class '*RougeL'>; expected SameTokens(), *",
            "E * ValueError: at_least=2; expected a share in (0, 1]",
            "E * ValueError: normalise='whitespaces': 'whitespaces' is unknown; did you mean 'whitespace'? known: *",
            "E * TypeError: tolerance= and per_environment= are for answers: *; ndarray is neither, and takes tol=*",
            "E * TypeError: tol=, tier=, cross_tol= and equal_nan= are for tensors, and this is an answer; *RougeL*",
            "E * TypeError: options of two kinds: tol=, *are for tensors; tolerance= and *",
            "E * TypeError: per_environment='yes'; expected True or False",
            "E * InvalidComparison: no golden was written, since * agree with it: the golden is no JSON: Expecting *",
            "E * ValueError: ignore='$.ids': no such place in the golden or in the answer; *",
            "E * InvalidComparison: no golden was written, since *: the text is the same, but the golden has no *",
            "E * TypeError: ROUGE-L of at least 0.9 compares texts, and of a Choice only the position is known; *",
            "E * TypeError: [[]1]: str 'y' among responses; expected responses alone",
            "E * InvalidComparison: two responses to case 'q': a golden holds one answer a case",
        ]
    )
    assert not suite.file.exists()


def test_files_of_others_in_the_folder_stay(suite):
    """Golden answers are updated, and what else lies beside them belongs to somebody else."""
    suite.write(text="it is 1")
    suite.file.parent.mkdir()
    notes = suite.file.with_name("notes.txt")
    notes.write_text("not ours")

    result = suite.run("--snapshot-update")

    result.stdout.fnmatch_lines(["1 snapshot generated."])
    assert notes.read_text() == "not ours"


def test_a_full_disk_loses_no_golden(suite, distribution):
    """The test that could not write fails as infrastructure, the file stays as it was, and nothing lies beside it."""
    suite.write(text="first")
    suite.run("--snapshot-update")
    before = suite.file.read_bytes()
    (suite.path / "conftest.py").write_text(
        "import pytest\nfrom syrupy.extensions.amber import serializer\n\n"
        "@pytest.fixture(autouse=True)\ndef full(monkeypatch):\n"
        "    def fail(*_):\n        raise OSError(28, 'No space left on device')\n"
        "    monkeypatch.setattr(serializer, 'replace_atomic', fail)\n"
    )

    result = suite.run("--snapshot-update", *distribution, text="second, and longer")

    result.stdout.fnmatch_lines(
        ["E *StoreUnwritable: the golden file *test_a.golden cannot be written: No space left on device; nothing was*"]
    )
    result.assert_outcomes(failed=1)
    assert suite.file.read_bytes() == before
    assert list(suite.file.parent.iterdir()) == [suite.file]


def test_a_tolerance_may_come_first_and_one_of_the_other_kind_is_named(suite):
    """`golden(SameText())` is what one writes; `tol=` is for tensors, and the message says what is for answers."""
    suite.write(
        'def test_first(golden):\n    assert answer(given["text"]) == golden(SameText(normalise="case"))\n\n'
        "def test_other(golden):\n    assert answer(given['text']) == golden(tol=SameText())\n",
        text="It is 1",
    )

    suite.run("--snapshot-update")
    result = suite.run(text="it is 1")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *TypeError: tol=*expected a Tol, *; of an answer, write tolerance=SameText(*"])
