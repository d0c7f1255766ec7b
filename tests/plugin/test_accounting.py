"""What became of tests, cases and answers is counted in the summary, in JUnit and in `results.json`."""

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

V1 = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
SUITE = """
import pytest
from pytest_llmval import Unscored, assert_no_regression, cases, scored

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

def same(case, response):
    return Unscored("no grade") if case.id == "q9" else response.text == case.reference

right = scored("right", same, kind="binary")

@qa.all
def test_gate(responses, baseline_responses):
    assert_no_regression(right(responses), right(baseline_responses), margin=0.2)

@qa.each
def test_each(case, response):
    assert response.text == case.reference

def test_skipped():
    pytest.skip("on purpose")
"""


@pytest.fixture
def counting(shop):
    """A candidate with one answer missing and one wrong, a case without a score, a test that is skipped."""
    shop.pytester.makepyfile(test_qa=SUITE)
    shop.add_version("weak", wrong=[1], failed=[5])
    return shop


def results(folder):
    """The results in a folder."""
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_every_count_of_a_run(counting, distribution):
    """62 tests: one fails, one has an error (no answer), one is skipped. The gate lost two of 60 cases.

    The terminal says what pytest does not: it counts the tests itself.
    """
    result = counting.run(*distribution, "--junitxml=junit.xml", versions=("weak", "old"))

    result.stdout.fnmatch_lines(["cases lost by gates: 1 failed, 1 unscored, 0 missing", "old: 60 answers measured"])
    result.stdout.no_fnmatch_line("tests: *")
    found = results(counting.path / "llmval-out")
    (suite,) = JUnitXml.fromfile(str(counting.path / "junit.xml"))
    properties = {each.name: each.value for each in suite.properties()}
    summary = (counting.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert found["counts"] == {
        "tests": {"passed": 59, "failed": 1, "error": 1, "skipped": 1},
        "cases": {"failed": 1, "unscored": 1, "missing": 0},
        "answers": {"measured": 120, "replayed": 0, "failed": 1, "truncated": 0, "empty": 0},
    }
    assert properties["llmval.count.tests.passed"] == "59"
    assert properties["llmval.count.cases.unscored"] == "1"
    assert properties["llmval.count.answers.measured"] == "120"
    assert "- tests: 59 passed, 1 failed, 1 error, 1 skipped\n" in summary
    assert "- cases lost by gates: 1 failed, 1 unscored, 0 missing\n" in summary


def test_the_results_say_what_a_machine_asks(counting, distribution):
    """The answer, each gate without its cases, what failed, how it ended, and where the rest is.

    A copy stands beside the records, with the path as it is from there.
    """
    counting.run(*distribution, versions=("weak", "old"))

    out = counting.path / "llmval-out"
    found = results(out)
    (gate,) = found["gates"]
    assert (found["schema"], found["candidate"], found["baseline"]) == (1, "weak", "old")
    assert found["answer"] == "FAILED"
    assert (gate["test"], gate["metric"], gate["outcome"]) == ("test_qa.py::test_gate", "right", "equivalent")
    assert gate["worst"] == ["q1", "q5"]
    assert found["failed_tests"] == ["test_qa.py::test_each[q1]", "test_qa.py::test_each[q5]"]
    assert found["exit"] == {"status": 1, "meaning": "a test failed"}
    counts = {"measured": 60, "replayed": 0, "failed": 1, "truncated": 0, "empty": 0}
    # Three words a question; three an answer, but two in "no idea" and none where the server hung up.
    assert found["asked"]["weak"] == counts | {
        "prompt_tokens": 177,
        "completion_tokens": 176,
        "cost": 0,
        "server_deaths": [],
    }
    assert found["datasets"][0].startswith("qa@")
    assert found["started_at"] < found["ended_at"]
    text = (out / "results.json").read_text(encoding="utf-8")
    assert "what is 1" not in text
    assert "no idea" not in text
    (verdict,) = map(json.loads, (out / found["verdicts"]).read_text(encoding="utf-8").splitlines())
    assert verdict["evidence"]["candidate"]["values"][1] == 0.0
    kept = results(counting.runs[-1])
    assert kept.pop("verdicts") == "verdicts.jsonl"
    assert (out / found.pop("verdicts")).resolve() == counting.runs[-1] / "verdicts.jsonl"
    assert kept == found


def test_replayed_answers_are_no_measurements(counting):
    """A second run takes over what the first one measured, but for the block with the failed answer."""
    counting.run(versions=("weak", "old"))
    counting.run(versions=("weak", "old"))

    answers = results(counting.path / "llmval-out")["counts"]["answers"]
    assert answers == {"measured": 32, "replayed": 88, "failed": 1, "truncated": 0, "empty": 0}


def test_results_of_an_earlier_run_are_replaced(shop):
    """A run without a gate leaves no old verdict behind, as in the summary."""
    shop.run()
    before = results(shop.path / "llmval-out")

    shop.run("-k", "each", versions=("new",))

    after = results(shop.path / "llmval-out")
    assert before["answer"] == "SHOWN"
    assert (after["answer"], after["gates"], after["verdicts"]) == ("NOT SHOWN", [], None)
    assert after["run_id"] != before["run_id"]


def test_results_are_replaced_where_no_model_was_asked(shop):
    """Every test was deselected: the old answer goes all the same."""
    shop.run()

    shop.run("-k", "nothing_of_this_name")

    after = results(shop.path / "llmval-out")
    assert after["answer"] == "NOT SHOWN"
    assert after["exit"]["status"] == 5
    assert after["started_at"] is None


def test_a_run_that_was_stopped_says_so(shop):
    """After Ctrl-C the results are whole, and say that the run is not."""
    shop.pytester.makepyfile(test_zz="def test_interrupted():\n    raise KeyboardInterrupt")

    shop.run_subprocess()

    found = results(shop.path / "llmval-out")
    assert (found["answer"], found["is_complete"]) == ("STOPPED EARLY", False)
    assert found["exit"] == {"status": 2, "meaning": "the run was stopped before its end"}


def test_a_run_that_stopped_at_a_failure_says_so(shop, distribution):
    """-x left tests unrun: the results say that the run is not whole, with and without workers."""
    shop.pytester.makepyfile(test_aa="def test_first(llm):\n    assert llm.generate('what is 0').text == 'nothing'")

    shop.run(*distribution, "-x")

    assert results(shop.path / "llmval-out")["is_complete"] is False


def test_only_infrastructure_failed(shop):
    """The status that asks for another try is in the file."""
    shop.add_version("down", failed=range(60))

    result = shop.run("-k", "each", versions=("down",))

    assert results(shop.path / "llmval-out")["exit"]["status"] == result.ret == 75


def test_a_run_without_a_model_writes_nothing(shop):
    """Plain pytest leaves no folder behind."""
    shop.run(versions=())

    assert not (shop.path / "llmval-out").exists()


def test_what_failed_without_a_gate_is_named(shop):
    """No gate ran and tests failed: summary and results are written, and name them."""
    shop.add_version("wrong", wrong=[7])

    result = shop.run("-k", "each", versions=("wrong",))

    result.stdout.fnmatch_lines(["llmval: summary: llmval-out?summary.md"])
    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert "## FAILED: wrong, no gates; 1 test failed\n\nFailed:\n\n- test_qa.py::test_each[q7]\n\n" in summary
    assert results(shop.path / "llmval-out")["failed_tests"] == ["test_qa.py::test_each[q7]"]


def test_a_failed_golden_is_named(shop):
    """A golden that nobody wrote fails its test, which is no gate."""
    shop.pytester.makepyfile(
        test_golden="""
        import numpy

        def test_golden(llm, golden):
            assert {"logits": numpy.ones(3), "text": llm.generate("what is 1").text} == golden
        """
    )

    shop.run("test_golden.py", versions=("new",))

    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert "## FAILED: new, no gates; 1 test failed\n\nFailed:\n\n- test_golden.py::test_golden\n\n" in summary


def test_what_a_test_asks_itself_is_counted(shop, distribution):
    """Two calls of `llm.generate` are two answers measured, beside the block of the one case that was selected."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases

        qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

        @qa.each
        def test_each(case, response):
            assert response.text == case.reference

        def test_calls(llm):
            assert len(llm.generate(["what is 1", "what is 2"])) == 2
        """
    )

    result = shop.run(*distribution, "-k", "q3] or calls", versions=("new",))

    result.stdout.fnmatch_lines(["*new: 34 answers measured, for 1 selected: blocks are computed whole*"])
    assert results(shop.runs[-1])["counts"]["answers"]["measured"] == 34


@pytest.mark.models
def test_answers_that_were_cut_or_are_empty_are_told(shop, distribution):
    """They are scored as they are, and nobody should have to guess that from a low mean."""
    shop.write_lines("quiet.jsonl", [{"prompt": "*", "text": " "}])
    config = (
        f'[models.quiet]\nserver = "scripted"\nanswers = "quiet.jsonl"\n[models.v1]\nmodel = {json.dumps(str(V1))}\n'
    )
    (shop.path / "llmval.toml").write_text(config, encoding="utf-8")
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases

        qa = cases("qa.jsonl", prompt="{question}", max_tokens=1, where=lambda case: case["id"] in ("q1", "q2"))

        @qa.all
        def test_all(responses, baseline_responses, llm):
            assert [response.truncated for response in responses] == [True, True]
            assert llm.generate("what is 1", max_tokens=1).truncated
        """
    )

    result = shop.run(*distribution, versions=("v1", "quiet"))

    result.stdout.fnmatch_lines(
        ["llmval: quiet: 2 answers measured, 2 empty", "llmval: v1: 3 answers measured, 3 cut at their longest"]
    )
