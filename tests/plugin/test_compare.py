"""`llmval compare RUN_A RUN_B`: what two candidates scored, from the evidence their runs left."""

import json

import pytest
from click.testing import CliRunner

from pytest_llmval.cli.main import main

SUITE = """
from pytest_llmval import assert_at_least, assert_no_regression, cases, exact_match

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.all
def test_gate(responses, baseline_responses):
    assert_no_regression(exact_match(responses), exact_match(baseline_responses), margin=0.1)

@qa.all
def test_bar(responses):
    assert_at_least(exact_match(responses), 0.5)
"""


@pytest.fixture(autouse=True)
def _default_store(monkeypatch):
    """The store is the one of the folder."""
    monkeypatch.delenv("LLMVAL_STORE", raising=False)


@pytest.fixture
def two_gates(shop):
    """A suite of a gate with a margin of its own and of a bar; `worse` fails 15 of 60 questions."""
    shop.pytester.makepyfile(test_qa=SUITE)
    shop.add_version("worse", wrong=range(15))
    return shop


def run(shop, *args, versions=("new", "old")):
    """Run the suite; gives the id of the run."""
    shop.run(*args, versions=versions)
    return shop.runs[-1].name


def compare(*args):
    """The result of the command."""
    return CliRunner().invoke(main, ["compare", *args])


def row(output, test):
    """The cells of a gate, without those of its name."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"test_qa.py::{test} ")]
    return line.split()[2:]


def test_a_candidate_that_scored_worse_than_an_earlier_one_fails(two_gates, distribution):
    """The first run's candidate is the baseline: 100 % against 75 % of 60 questions."""
    first = run(two_gates, *distribution)
    second = run(two_gates, *distribution, versions=("worse", "old"))

    done = compare(first, second)

    assert done.exit_code == 1
    assert done.output.startswith(f"REGRESSED: new ({first}) -> worse ({second}), 2 gates: 2 regressed\n")
    assert row(done.output, "test_gate")[:3] == ["1.000", "0.750", "-25.0"]
    assert row(done.output, "test_gate")[-1] == row(done.output, "test_bar")[-1] == "regressed"
    assert "  worst cases: 'q0', 'q1', 'q2', 'q3', 'q4'\n" in done.output


def test_the_figures_are_those_of_a_gate_that_has_both_as_its_sides(two_gates):
    """A comparison by evidence and one by asking both are the same comparison."""
    first, second = run(two_gates), run(two_gates, versions=("worse", "old"))
    run(two_gates, versions=("worse", "new"))
    live = two_gates.verdicts()["test_qa.py::test_gate"]

    cells = row(compare(first, second).output, "test_gate")

    assert cells[:3] == [f"{live['baseline']:.3f}", f"{live['candidate']:.3f}", f"{100 * live['delta']:+.1f}"]
    assert cells[4:6] == [f"[{100 * live['low']:+.1f},", f"{100 * live['high']:+.1f}]"]


def test_candidates_that_scored_alike_hold(two_gates):
    """Exit status 0; the beginning of an id and `latest` name the runs."""
    first = run(two_gates)
    run(two_gates)

    done = compare(first, "latest")

    assert done.exit_code == 0
    assert done.output.startswith("SHOWN: new (")
    assert "2 gates: 2 equivalent" in done.output


def test_an_improvement_is_none_the_other_way_round(two_gates):
    """Order matters: the second run is judged."""
    first, second = run(two_gates), run(two_gates, versions=("worse", "old"))

    done = compare(second, first)

    assert done.exit_code == 0
    assert "2 gates: 2 improved" in done.output


def test_a_gate_keeps_its_margin_and_a_bar_gets_one(two_gates):
    """`--margin` speaks for gates that have none of their own: 3 of 60 lost is within 20 points, not within 10."""
    two_gates.add_version("weak", wrong=range(3))
    first, second = run(two_gates), run(two_gates, versions=("weak", "old"))

    narrow, wide = compare(first, second, "--margin", "0.05"), compare(first, second, "--margin", "0.2")

    assert row(narrow.output, "test_gate") == row(wide.output, "test_gate")
    assert row(narrow.output, "test_bar")[6:8] == ["5.0", "pp"]
    assert row(narrow.output, "test_bar")[-1] == "inconclusive"
    assert row(wide.output, "test_bar")[6:8] == ["20.0", "pp"]
    assert row(wide.output, "test_bar")[-2:] == ["worse", "within"]


def test_many_gates_ask_for_more_before_one_is_called_regressed(shop):
    """7 of 60 lost has z = 7/sqrt(7) = 2.65: enough alone (1.64), too little among 30 gates (0.05/30: 2.93)."""
    many = "@pytest.mark.parametrize('n', range(30))\n@qa.all\ndef test_bar(responses, n)"
    shop.pytester.makepyfile(test_qa="import pytest" + SUITE.replace("@qa.all\ndef test_bar(responses)", many))
    shop.add_version("worse", wrong=range(7))
    alone = [run(shop, "-k", "test_bar and 29", versions=(name,)) for name in ("old", "worse")]
    together = [run(shop, "-k", "test_bar", versions=(name,)) for name in ("old", "worse")]

    assert "1 gate: regressed" in compare(*alone).output
    assert "30 gates: 30 inconclusive" in compare(*together).output
    assert "not at the level corrected for the number of gates" in compare(*together).output


def test_two_prompts_are_compared_on_purpose_only(two_gates, distribution):
    """Refused naming both prompts; `--vary prompt` allows it."""
    suite = two_gates.path / "test_qa.py"
    suite.write_text(
        suite.read_text().replace('"{question}"', '{"short": "{question}", "long": "Tell me: {question}"}')
    )
    answers = [
        {"prompt": f"{before}what is {i}", "text": "no idea" if before and i < 15 else f"it is {i}"}
        for i in range(60)
        for before in ("", "Tell me: ")
    ]
    two_gates.write_lines("new.jsonl", answers)
    short, long = (
        run(two_gates, *distribution, f"--llmval-prompt={name}", versions=("new",)) for name in ("short", "long")
    )

    refused, allowed = compare(short, long), compare(short, long, "--vary", "prompt")

    assert refused.exit_code == allowed.exit_code == 1
    assert refused.output.startswith("INVALID: new (")
    assert "prompt differs: short " in refused.output
    assert " -> long " in refused.output
    assert allowed.output.startswith("REGRESSED: new (")


def test_gates_of_one_run_only_are_named(two_gates):
    """What has no counterpart is listed, and does not decide."""
    first = run(two_gates)
    second = run(two_gates, "-k", "bar", versions=("new",))
    suite = two_gates.path / "test_qa.py"
    suite.write_text(
        suite.read_text() + "\n@qa.all\ndef test_more(responses):\n    assert_at_least(exact_match(responses), 0.5)\n"
    )
    third = run(two_gates, "-k", "bar or more", versions=("new",))

    done = compare(first, third)

    assert done.exit_code == 0
    assert "1 gate: equivalent" in done.output
    assert f"only in {first}: test_qa.py::test_gate exact_match\n" in done.output
    assert f"only in {third}: test_qa.py::test_more exact_match\n" in done.output
    assert compare(second, third).exit_code == 0


def test_the_second_gate_of_a_test_is_compared_with_the_second(two_gates):
    """A test may ask about one metric twice; the number tells them apart."""
    suite = two_gates.path / "test_qa.py"
    suite.write_text(
        suite.read_text() + "\n@qa.all\ndef test_twice(responses):\n    assert_at_least(exact_match(responses), 0.5)\n"
        "    assert_at_least(exact_match(responses[:40]), 0.5)\n"
    )
    first = run(two_gates, "-k", "twice", versions=("old",))
    second = run(two_gates, "-k", "twice", versions=("worse",))

    done = compare(first, second)

    rows = [line.split() for line in done.output.splitlines() if line.startswith("test_qa.py::test_twice")]
    assert sorted(cells[-2] for cells in rows) == ["40", "60"]


def test_nothing_to_compare(two_gates):
    """Exit status 5: no gate is in both, or one run had none at all."""
    bar, gate = run(two_gates, "-k", "bar", versions=("new",)), run(two_gates, "-k", "gate")
    two_gates.pytester.makepyfile(test_other="def test_call(llm): assert llm.generate('what is 1').text")
    none = run(two_gates, "test_other.py", versions=("new",))

    for pair in ((bar, gate), (bar, none), (none, none)):
        done = compare(*pair)
        assert done.exit_code == 5
        assert done.output.startswith("NOTHING TO COMPARE: new (")
    assert f"only in {bar}: test_qa.py::test_bar exact_match" in compare(bar, none).output


def test_evidence_without_scores_by_case_is_not_compared(two_gates):
    """A limit holds one number; it is said that it was left aside."""
    first = run(two_gates, "-k", "bar", versions=("new",))
    verdicts = two_gates.runs[-1] / "verdicts.jsonl"
    entry = json.loads(verdicts.read_text())
    limit = entry | {"metric": "layers", "evidence": {"kind": "limit", "gate": 2, "value": 1.0}}
    verdicts.write_text(verdicts.read_text() + json.dumps(limit) + "\n")

    done = compare(first, first)

    assert done.exit_code == 0
    assert "1 gate: equivalent" in done.output
    assert (
        "not compared, since its evidence is no score of the candidate by case: test_qa.py::test_bar layers (gate 2)"
        in (done.output)
    )


def test_only_the_verdicts_are_needed(two_gates):
    """Responses may be gone."""
    first = run(two_gates)
    second = run(two_gates, versions=("worse", "old"))
    for path in (two_gates.path / ".llmval").rglob("responses/*.jsonl"):
        path.unlink()

    assert compare(first, second).exit_code == 1


def test_a_run_that_shows_nothing_is_noted(two_gates):
    """How the runs ended does not decide, and each is told once; runs that are SHOWN are not."""
    shown, again = run(two_gates), run(two_gates)
    regressed = run(two_gates, versions=("worse", "old"))

    silent, noted, twice = compare(shown, again), compare(regressed, shown), compare(regressed, regressed)

    line = f"note: the answer of run {regressed} was REGRESSED: old -> worse, 2 gates: 1 regressed, 1 "
    assert (silent.exit_code, noted.exit_code, twice.exit_code) == (0, 0, 0)
    assert "note:" not in silent.output
    assert noted.output.splitlines()[-1].startswith(line)
    assert twice.output.count("note:") == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("latest", "nope"), "there is no run 'nope' in {path}/.llmval; the latest are "),
        (("latest", "latest", "--vary", "promt"), "--vary 'promt': did you mean 'prompt'?"),
        (("latest", "latest", "--margin", "-1"), "--margin -1.0: expected 0 or more, in the unit of the metric"),
        (("latest", "latest", "--store", "empty"), "there is no run 'latest' in {path}/empty, nor any other"),
        (("latest", "latest", "--store", "s3://b"), "--store 's3://b': expected a folder"),
    ],
)
def test_wrong_input(two_gates, args, message):
    """Exit status 4, and what would be right."""
    run(two_gates)

    done = compare(*args)

    assert done.exit_code == 4
    assert done.stderr.startswith("llmval compare: " + message.format(path=two_gates.path))


TWO_METRICS = """
from pytest_llmval import assert_no_regression, cases, exact_match, scored

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")
close = scored("close", lambda case, response: response.text == case.reference or case.id > "q2", kind="binary")

@qa.all
def test_clear(responses, baseline_responses):
    assert_no_regression(exact_match(responses), exact_match(baseline_responses), margin=0.01)

@qa.all
def test_close(responses, baseline_responses):
    assert_no_regression(close(responses), close(baseline_responses), margin=0.01)
"""


def test_a_clear_regression_leaves_the_whole_level_to_the_other_gate(shop):
    """Holm's steps: ids up to q2 and q10 to q19 are 13 of 60; three wrong of them give z = 3/√3, p = .042 > .05/2."""
    shop.pytester.makepyfile(test_qa=TWO_METRICS)
    shop.add_version("worse", wrong=[0, 1, 2, *range(20, 50)])
    shop.add_version("close", wrong=[0, 1, 2])
    first = run(shop)

    both = compare(first, run(shop, versions=("worse", "old"))).output
    alone = compare(first, run(shop, versions=("close", "old"))).output

    assert [row(both, test)[-1] for test in ("test_clear", "test_close")] == ["regressed", "regressed"]
    assert [row(alone, test)[-1] for test in ("test_clear", "test_close")] == ["inconclusive", "inconclusive"]
