"""Golden answers under one name: several values, several samples and trials, and goldens that are added to a name."""

import json

import pytest
import torch  # noqa: F401 - a second run in this process that imports it anew would end the process

import pytest_llmval.fixtures.goldens.assertion  # noqa: F401 - and one that imports this anew would have two kinds of Tol

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:rerunfailures")
HEAD = """
import json
from pathlib import Path

import pytest

from pytest_llmval.case_sets.case import Case
from pytest_llmval.servers.exchange import Decoding, Request, Response

given = json.loads(Path(__file__).with_name("given.json").read_text())
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Gives a function that runs tests with values that they find in `given`."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the inner run is nobody's worker

    def run(tests, *args, **given):
        pytester.makepyfile(test_a=HEAD + tests)
        (pytester.path / "given.json").write_text(json.dumps(given))
        return pytester.runpytest(*QUIET, *args)

    run.file = pytester.path / "__snapshots__" / "test_a.golden"
    return run


TWICE = """
def test_one(golden):
    assert "it is 1" == golden(name="x")
    assert given["second"] == golden(name="x")
"""


@pytest.mark.parametrize("option", ["--snapshot-update", "--snapshot-update-new-only"])
def test_a_second_other_value_under_one_name_is_refused(suite, option, distribution):
    """The next run would fail one of the two; the first one is kept."""
    result = suite(TWICE, option, *distribution, second="it is 2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: two different answers under one golden name, 'test_one[[]x]', in one run: exact: *",
            "E * give each a name of its own: golden(name='first'), golden(name='second'); a repeated test *",
        ]
    )
    assert suite.file.read_text().count('"it is 1"') == 1
    assert "it is 2" not in suite.file.read_text()


def test_an_update_does_not_trade_one_of_two_values_for_the_other(suite):
    """The golden that the first one agrees with stays."""
    suite(TWICE, "--snapshot-update", second="it is 1").assert_outcomes(passed=1)
    before = suite.file.read_bytes()

    suite(TWICE, "--snapshot-update", second="it is 2").assert_outcomes(failed=1)

    assert suite.file.read_bytes() == before


def test_two_environments_under_one_name_are_both_kept(suite):
    """Neither run after that fails: each has a golden of its own."""
    tests = """
def test_one(golden):
    for attention in ("eager", "sdpa"):
        assert attention == golden(name="x", per_environment=True, environment={"attention": attention})
"""
    suite(tests, "--snapshot-update").assert_outcomes(passed=1)

    suite(tests).assert_outcomes(passed=1)


def test_other_cases_under_one_name_are_refused(suite):
    """The second would put the golden of the first out of the file."""
    tests = """
def test_one(golden):
    for case in "ab":
        assert [Response("it is 1", case=Case(case, {}, ""))] == golden(name="x")
"""
    result = suite(tests, "--snapshot-update")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * two different answers under one golden name, *, in one run: other cases; *"])


def test_trials_with_other_answers_are_refused_while_they_are_written(suite):
    """Each trial compares under the same name."""
    tests = """
from itertools import count

trial = count()

@pytest.mark.llmval_trials(3)
def test_one(golden):
    assert f"it is {next(trial) if given['varies'] else 1}" == golden
"""
    varying = suite(tests, "--snapshot-update", varies=True)
    suite.file.unlink()
    steady = suite(tests, "--snapshot-update", varies=False)

    assert varying.ret == 1
    varying.stdout.fnmatch_lines(["*two different answers under one golden name, 'test_one', in one run: *"])
    assert steady.ret == 0
    assert suite(tests, varies=False).ret == 0


def test_a_response_of_several_samples_is_refused(suite, distribution):
    """A golden would keep the first alone, and say nothing of the others."""
    tests = "def test_one(golden):\n    assert Response('a', samples=('a', 'b')) == golden\n"

    result = suite(tests, "--snapshot-update", *distribution)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: the response holds 2 samples, and a golden keeps one answer",
            "E * ask with n=1, or keep one golden a sample: assert response.samples[[]i] == golden(name=*); *",
        ]
    )
    assert not suite.file.exists()


def test_responses_of_several_trials_are_refused(shop, distribution):
    """With the case, and what to ask instead; one trial is kept."""
    text = (
        "from pytest_llmval import cases\n\n"
        'qa = cases("qa.jsonl", prompt="{question}", reference="{answer}", trials=TRIALS)\n\n'
        "@qa.all\ndef test_all(responses, golden):\n    assert responses == golden\n"
    )
    shop.pytester.makepyfile(test_qa=text.replace("TRIALS", "2"))
    refused = shop.run("--snapshot-update", *distribution)
    shop.pytester.makepyfile(test_qa=text.replace("TRIALS", "1"))
    kept = shop.run("--snapshot-update", *distribution)

    refused.assert_outcomes(failed=1)
    refused.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: the response to case 'q0' holds 2 trials, and a golden keeps one answer a case",
            "E * ask once, with cases(..., trials=1); self_consistency says how far trials agree",
        ]
    )
    kept.assert_outcomes(passed=1)


SAMPLED = """
def test_one(golden):
    request = Request("what is 1", decoding=Decoding(temperature=0.7), seed=given["seed"])
    assert Response(f"it is {given['seed']}", request=request) == golden
"""


def test_another_seed_of_a_sampled_answer_is_not_comparable(suite, distribution):
    """It is no regression that another draw gives another answer."""
    suite(SAMPLED, "--snapshot-update", seed=7)

    result = suite(SAMPLED, *distribution, seed=8)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: the answer and its golden are not comparable: what is asked changed",
            "E * seed: 7 -> 8",
        ]
    )


ENVIRONMENTS = """
def test_one(golden):
    kept = golden(per_environment=True, environment={"attention": given["attention"]})
    assert given["attention"] == kept
"""


def test_new_only_adds_an_environment_to_a_name(suite, distribution):
    """The golden of the other one stays as it was."""
    suite(ENVIRONMENTS, "--snapshot-update", attention="eager")

    suite(ENVIRONMENTS, "--snapshot-update-new-only", *distribution, attention="sdpa").assert_outcomes(passed=1)

    for attention in ("eager", "sdpa"):
        suite(ENVIRONMENTS, attention=attention).assert_outcomes(passed=1)


CASES = """
def test_one(golden):
    assert [Response(text, case=Case(case, {}, "")) for case, text in given["texts"].items()] == golden
"""


def test_new_only_adds_a_case_to_a_name(suite, distribution):
    """Where the others agree."""
    suite(CASES, "--snapshot-update", texts={"a": "1"})

    suite(CASES, "--snapshot-update-new-only", *distribution, texts={"a": "1", "b": "2"}).assert_outcomes(passed=1)

    suite(CASES, texts={"a": "1", "b": "2"}).assert_outcomes(passed=1)


@pytest.mark.parametrize("texts", [{"a": "other", "b": "2"}, {"b": "2"}, {"a": "other"}])
def test_new_only_adds_nothing_where_something_else_differs(suite, texts):
    """An answer that differs, or a case that is gone, is nothing new."""
    suite(CASES, "--snapshot-update", texts={"a": "1"})
    before = suite.file.read_bytes()

    suite(CASES, "--snapshot-update-new-only", texts=texts).assert_outcomes(failed=1)

    assert suite.file.read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "author"), [("baseline_responses", "old"), ("responses, baseline_responses", "new"), ("", "")]
)
def test_the_author_is_the_version_that_the_test_asks(shop, asked, author):
    """The baseline where it alone is asked, nobody where no version is."""
    shop.pytester.makepyfile(
        test_qa='from pytest_llmval import cases\n\nqa = cases("qa.jsonl", prompt="{question}")\n\n'
        f"@qa.all\ndef test_all(golden, {asked or 'request'}):\n"
        f"    assert {asked.rpartition(' ')[2] or repr('x')} == golden\n"
    )

    shop.run("--snapshot-update").assert_outcomes(passed=1)

    lines = (shop.path / "__snapshots__" / "test_qa.golden").read_text().split("\n")
    assert all(f'"version": "{author}"' in line for line in lines if '"origin"' in line)
    assert all(('"model server": "scripted"' in line) == bool(author) for line in lines if '"environment"' in line)
