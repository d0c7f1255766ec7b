"""A server that is paid by the answer is asked for no more than is needed, under one limit and one budget."""

import json
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

LLMVAL = Path(sys.executable).parent / "llmval"
N = 16
SUITE = f"""
import pytest
from pytest_llmval import assert_at_least, cases, exact_match

rows = [{{"id": f"q{{i}}", "question": f"what is {{i}}", "answer": f"it is {{i}}"}} for i in range({N})]
qa = cases(rows, prompt="{{question}}", reference="{{answer}}", max_tokens=3)

@qa.each
def test_each(case, response):
    assert case["answer"] == response.text

@qa.all
def test_gate(responses):
    assert_at_least(exact_match(responses), 0.2)
"""
DOLLAR_A_TOKEN = {"input_price": 1_000_000, "output_price": 1_000_000}


@pytest.fixture(autouse=True)
def suite(served):
    """Sixteen questions and a gate."""
    served.pytester.makepyfile(test_qa=SUITE)


def test_only_selected_cases_are_asked(served, distribution):
    """Two items, two requests, though all sixteen cases are of one block."""
    served.configure()

    result = served.run(*distribution, "-k", "q3 or q11")

    result.assert_outcomes(passed=2)
    assert sorted(each["prompt"] for each in served.asked) == ["what is 11", "what is 3"]


def test_two_files_that_ask_the_same_ask_it_once(served, distribution):
    """The blocks of both hold the same cases, whichever of them a selected test needs."""
    served.pytester.makepyfile(test_other=SUITE)
    served.configure()

    served.run(*distribution, "-k", "(test_qa and q3) or (test_other and (q5 or gate))").assert_outcomes(passed=3)

    assert len(served.asked) == N


def test_a_gate_needs_its_whole_set(served, distribution):
    """However few single cases are selected beside it; nothing is asked twice."""
    served.configure()

    result = served.run(*distribution, "-k", "q3 or gate")

    result.assert_outcomes(passed=2)
    assert sorted(each["prompt"] for each in served.asked) == sorted(f"what is {i}" for i in range(N))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_all_workers_are_under_one_limit(served, distribution, concurrency):
    """Blocks of two keep both workers busy; the server never has more requests at a time than are allowed."""
    served.configure("busy", 1000, block=2, concurrency=concurrency)

    served.run(*distribution).assert_outcomes(passed=N + 1)

    assert max(each["running"] for each in served.asked) <= concurrency
    assert len(served.asked) == N


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_a_gate_keeps_the_server_busy(served, concurrency):
    """Several blocks are asked at a time, so that the limit is reached though no block has as many cases."""
    served.configure("busy", 1000, block=2, concurrency=concurrency)

    served.run("-k", "gate")

    assert max(each["running"] for each in served.asked) == concurrency


def test_the_key_is_sent_and_never_written(served, monkeypatch):
    """It comes from the environment; no file of the run holds it, nor what is printed."""
    monkeypatch.setenv("OUR_KEY", "sk-very-secret")
    served.configure(api_key_env="OUR_KEY")

    result = served.run("-v", "-rA")

    assert {each["key"] for each in served.asked} == {"Bearer sk-very-secret"}
    assert "sk-very-secret" not in result.stdout.str() + result.stderr.str()
    for path in [*served.path.glob(".llmval/**/*"), *served.path.glob("llmval-out/**/*")]:
        assert path.is_dir() or "sk-very-secret" not in path.read_text(encoding="utf-8")


def test_the_budget_ends_before_the_request_that_would_exceed_it(served, distribution):
    """Six dollars a request, three tokens in and three out: with 20 three are sent, the fourth might make it 24."""
    served.configure(concurrency=1, **DOLLAR_A_TOKEN)

    result = served.run(*distribution, "--llmval-budget=20")

    assert result.ret == 75
    assert len(served.asked) == 3
    result.stdout.fnmatch_lines(
        ["*--llmval-budget 20: 18 US dollars are spent and 0 set aside for requests under way*"]
    )


def test_a_budget_that_suffices_changes_nothing(served, distribution):
    """Sixteen requests cost 96 dollars, which the summary says."""
    served.configure(concurrency=1, **DOLLAR_A_TOKEN)

    result = served.run(*distribution, "--llmval-budget=97")

    result.assert_outcomes(passed=N + 1)
    result.stdout.fnmatch_lines(["*new: 16 answers measured, 96 tokens, 96.00 USD*"])
    told = json.loads((served.path / "llmval-out/results.json").read_text(encoding="utf-8"))
    spent = {"prompt_tokens": 48, "completion_tokens": 48, "cost": 96.0}
    assert spent.items() <= told["asked"]["new"].items()


def test_an_engine_process_that_dies_forgets_no_money(served):
    """Its successor knows what was spent: both together stay within the budget."""
    served.configure(concurrency=1, block=1, **DOLLAR_A_TOKEN)
    served.pytester.makepyfile(
        test_qa=SUITE
        + """
@qa.each
def test_kills(case, response):
    import os, signal, subprocess
    if case.id == "q1":
        found = subprocess.run(["pgrep", "-f", "servers.broker.service"], capture_output=True, text=True).stdout.split()
        ours = [pid for pid in map(int, found) if os.getppid() == _parent(pid)]
        os.kill(ours[0], signal.SIGKILL)

def _parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
"""
    )

    result = served.run("-n", "1", "--llmval-budget=20", "-k", "kills")

    assert result.ret == 75
    assert len(served.asked) * 6 <= 20
    result.stdout.fnmatch_lines(["*the engine process died (exit status -9)*"])


def test_requests_under_way_count_against_the_budget(served):
    """Eight at a time could overshoot if only what is paid counted."""
    served.configure("busy", 1000, concurrency=8, **DOLLAR_A_TOKEN)

    result = served.run("--llmval-budget=50")

    assert result.ret == 75
    assert len(served.asked) * 6 <= 50


def test_an_unpriced_model_is_refused_when_there_is_a_budget(served):
    """An unknown price would switch the limit off: status 4, and what to write down."""
    served.configure(url="http://127.0.0.1:9/v1")

    result = served.run("--llmval-budget=1")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--llmval-budget 1: nobody knows what 'new' costs; write input_price = *models.new*"])


@pytest.mark.parametrize("budget", ["nan", "-1", "inf", "much", ""])
def test_a_budget_is_a_number_of_dollars(served, budget):
    """Anything else is refused, but for an empty one, which is none."""
    served.configure()

    result = served.run(f"--llmval-budget={budget}", "-k", "q3")

    if not budget:
        result.assert_outcomes(passed=1, deselected=N)
        return
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--llmval-budget '{budget}': expected US dollars, as in --llmval-budget 2.50"])


def test_the_plan_says_what_will_be_used(served, distribution):
    """After a first run, tokens and dollars are within 10 % of what the second one takes, and nothing is asked."""
    served.configure(**DOLLAR_A_TOKEN)
    served.run(*distribution)
    asked = len(served.asked)

    plan = served.run(*distribution, "--llmval-plan")

    assert len(served.asked) == asked
    row = next(line for line in plan.outlines if line.startswith("new "))
    requests, read, written, most, dollars = (float(re.split(" {2,}", row)[column]) for column in (2, 5, 6, 7, 8))
    # Three words of 9 or 10 letters are 2.25 to 2.5 tokens at four bytes each, hence 3; three each are written.
    assert (requests, read, written, most) == (16, 48, 48, 48)
    assert dollars == pytest.approx(96, rel=0.1)


def test_the_plan_of_a_selection_is_that_of_its_cases(served):
    """A server is asked for selected cases alone, so no others are planned."""
    served.configure()

    plan = served.run("--llmval-plan", "-k", "q3 or q11")

    plan.stdout.fnmatch_lines(["new *cases@* 2 *1 *0 *6 *6 *6 *0"])


def test_the_plan_of_a_server_without_a_reference_goes_by_what_it_counted(served):
    """Questions of 41 and 42 letters are 11 estimated tokens each; the server counts 3, and so does the second plan."""
    long = SUITE.replace("what is {i}", "what, in the name of all that is holy, is {i}")
    served.pytester.makepyfile(test_qa=long)
    served.configure(**DOLLAR_A_TOKEN)

    first = served.run("--llmval-plan")
    served.run()
    second = served.run("--llmval-plan")

    first.stdout.fnmatch_lines(["new *cases@* 16 *1 *0 *176 *48 *48 *224.00"])
    second.stdout.fnmatch_lines(["new *cases@* 16 *1 *0 *48 *48 *48 *96.00"])


def test_a_month_of_production(served):
    """Six dollars a request, two a second: 6 x 2 x 86,400 x 365.25 / 12 = 31,557,600 a month, each case alike."""
    served.configure(**DOLLAR_A_TOKEN)
    served.run()

    told = served.pytester.run(LLMVAL, "cost", "--qps", "2")

    told.stdout.fnmatch_lines(
        [
            "llmval: run * at 2 requests a second, 5,259,600 a month",
            "version  cases  tokens in  tokens out  USD per 1,000 *USD a month *90% CI",
            "new         16        3.0         3.0       6,000.00  31,557,600.00  *31,557,600.00, 31,557,600.00*",
        ]
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            (),
            "llmval cost: nobody knows what 'new' costs: write input_price and output_price, *, or give --input-price*",
        ),
        (("--input-price", "1"), "*one of --input-price and --output-price is missing; expected both, in US dollars*"),
        (("--qps", "nan"), "*--qps nan: expected requests a second, above 0"),
        (("no-such-run",), "*there is no run 'no-such-run' in *; the latest are *"),
    ],
)
def test_what_is_not_known_of_a_month_is_asked_for(served, wrong, words):
    """The message says what to write or give."""
    served.configure()
    served.run("-k", "gate")

    told = served.pytester.run(LLMVAL, "cost", "--qps", "2", *wrong)

    assert told.ret == 4
    told.stderr.fnmatch_lines([words])
