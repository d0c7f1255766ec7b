"""A test that is run several times and gets one verdict."""

import json
import re

import pytest
from click.testing import CliRunner

from pytest_llmval.cli.main import main

START = """
import pytest
from collections import Counter

runs = Counter()

def nth(name="run"):
    runs[name] += 1
    return runs[name]
"""
"""A suite whose tests know how often they ran; it needs no model."""

ASKED = """
@pytest.fixture(autouse=True, scope="session")
def asked(llm):
    llm.generate("what is 0")
"""
"""A run that asks nothing leaves no files to look at."""


@pytest.fixture
def suite(shop):
    """Write a suite of repeated tests in place of the one that stands there."""
    (shop.path / "test_qa.py").unlink()

    def write(body, start=START + ASKED):
        (shop.path / "test_repeated.py").write_text(f"{start}\n{body}", encoding="utf-8")
        return shop

    return write


def trials_of(shop):
    """The results of the trials of the only verdict."""
    (verdict,) = shop.all_verdicts()
    return [trial["result"] for trial in verdict["evidence"]["trials"]]


def test_a_test_that_always_passes_is_one_test_that_reached_its_bar(suite):
    """30 trials, no failure: 0.9^29 < 0.05, so that a rate below 0.9 is ruled out."""
    shop = suite("@pytest.mark.llmval_trials(30, min_pass_rate=0.9)\ndef test_it(llm): nth()")

    result = shop.run()

    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines([
        "SHOWN: old -> new, 1 gate: equivalent",
        "test_repeated.py::test_it pass rate over trials *bar 0.900 *1.000 *30 *reached",
    ])  # fmt: skip
    assert trials_of(shop) == ["passed"] * 30


def test_a_failing_test_stops_early_with_the_headline_first(suite, distribution):
    """Two failures in three: below 0.9 after a few of at most 50 trials; below the headline stands the last failure."""
    shop = suite("""
@pytest.mark.llmval_trials(50, min_pass_rate=0.9)
def test_it(llm):
    number = nth()
    assert number % 3 == 0, f"trial {number} has no luck"
""")

    result = shop.run(*distribution)

    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines([
        "E   ModelRegression: 1 of 4 trials passed (0.250, 90% CI [[]0.*, 0.*[]]), bar 0.9; decided after 4 of *50",
        "    shown below the bar of 0.9; trial 4: AssertionError: trial 4 has no luck*",
        "-* trial 4, the last that did not pass -*",
        ">       assert number % 3 == 0, f*",
        "E       AssertionError: trial 4 has no luck",
        "REGRESSED: old -> new, 1 gate: regressed",
        "FAILED test_repeated.py::test_it - ModelRegression: 1 of 4 trials passed*",
    ])  # fmt: skip
    assert trials_of(shop) == ["failed", "failed", "passed", "failed"]


def test_the_failure_is_said_to_be_where_the_last_trial_failed(suite):
    """For editors and debuggers, which open that line."""
    shop = suite("@pytest.mark.llmval_trials(20, min_pass_rate=0.9)\ndef test_it(llm):\n    assert not nth()")

    result = shop.run("--tb=line")

    result.stdout.fnmatch_lines(["*test_repeated.py:*: ModelRegression: 0 of 3 trials passed*"])


def test_without_a_rate_the_first_failure_decides(suite):
    """A bar of 1 speaks of exactly these trials: no other run could make up for the failure."""
    shop = suite("@pytest.mark.llmval_trials(8)\ndef test_it(llm): assert nth() < 3")

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * 2 of 3 trials passed (*), bar 1; decided after 3 of at most 8"])
    assert trials_of(shop) == ["passed", "passed", "failed"]


def test_too_few_trials_are_inconclusive_and_say_how_many_would_do(suite):
    """0.9^20 = 0.12: even 20 of 20 do not show a rate of 0.9; 29 can."""
    shop = suite("@pytest.mark.llmval_trials(20, min_pass_rate=0.9)\ndef test_it(llm): pass")

    result = shop.run("-rs")
    strict = shop.run("--llmval-strict")

    result.assert_outcomes(skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines([
        "NOT SHOWN: old -> new, 1 gate: inconclusive",
        "SKIPPED*inconclusive: 20 of 20 trials passed*20 trials cannot show 0.9 even if all pass; 29 can",
    ])  # fmt: skip
    strict.assert_outcomes(failed=1)
    assert strict.ret == 1


def test_no_model_is_needed(pytester, monkeypatch):
    """A test that uses none of our fixtures is repeated all the same, and nothing is written."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(
        f"""{START}
@pytest.mark.llmval_trials(20, min_pass_rate=0.8)
def test_good(): pass

@pytest.mark.llmval_trials(20, min_pass_rate=0.8)
def test_bad(): assert nth("bad") % 2
"""
    )

    result = pytester.runpytest("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1, failed=1)
    assert not (pytester.path / ".llmval").exists()
    assert not (pytester.path / "llmval-out").exists()


def test_fixtures_of_the_test_are_made_anew_and_shared_ones_stay(suite):
    """Set up and torn down once a trial, in the order of pytest; module and session fixtures once."""
    shop = suite("""
log = []

@pytest.fixture(scope="module")
def shared():
    log.append("shared")
    yield
    log.append("shared gone")
    assert log == ["shared", "up", "test", "down", "up", "test", "down", "up", "test", "down", "after", "shared gone"]

@pytest.fixture
def own(shared, tmp_path, llm):
    log.append("up")
    yield tmp_path
    log.append("down")

seen = set()

@pytest.mark.llmval_trials(3)
def test_it(own):
    log.append("test")
    assert own.is_dir() and not list(own.iterdir()) and own not in seen
    seen.add(own)
    (own / "file").touch()

def test_after(shared):
    log.append("after")
""")

    result = shop.run()

    result.assert_outcomes(passed=2)
    assert trials_of(shop) == ["passed"] * 3


def test_what_pytest_gives_a_test_is_fresh_in_each_trial(suite):
    """Captured output and log, patches and the instance of a class hold nothing of the trial before."""
    shop = suite("""
import logging, os

class TestInClass:
    def setup_method(self):
        self.ready = True

    @pytest.mark.llmval_trials(3)
    def test_it(self, llm, caplog, capsys, monkeypatch):
        assert self.ready and not hasattr(self, "used")
        self.used = True
        print("out")
        assert capsys.readouterr().out == "out\\n"
        logging.getLogger().warning("logged")
        assert [record.message for record in caplog.records] == ["logged"]
        assert "LLMVAL_TRIED" not in os.environ
        monkeypatch.setenv("LLMVAL_TRIED", "1")
""")

    shop.run().assert_outcomes(passed=1)

    assert trials_of(shop) == ["passed"] * 3


def test_parameters_and_methods_have_a_verdict_each(suite):
    """The marker may stand on a class, a function or one set of parameters."""
    shop = suite("""
@pytest.mark.llmval_trials(2)
class TestInClass:
    def test_method(self, llm): nth("method")

@pytest.mark.parametrize("name", ["once", pytest.param("thrice", marks=pytest.mark.llmval_trials(3))])
def test_param(name, llm): nth(name)
""")

    shop.run().assert_outcomes(passed=3)

    taken = {test: verdict["counts"]["cases"] for test, verdict in shop.verdicts().items()}
    assert taken == {
        "test_repeated.py::TestInClass::test_method": 2,
        "test_repeated.py::test_param[thrice]": 3,
    }


def test_asynchronous_tests_of_other_plugins_are_repeated(suite):
    """The item runs itself, here through anyio's plugin."""
    shop = suite("""
@pytest.mark.anyio
@pytest.mark.llmval_trials(4)
async def test_it(llm):
    import anyio
    await anyio.sleep(0)
    assert nth() < 3

@pytest.fixture
def anyio_backend():
    return "asyncio"
""")

    shop.run().assert_outcomes(failed=1)

    assert trials_of(shop) == ["passed", "passed", "failed"]


@pytest.mark.parametrize("place", ["set-up", "teardown"])
def test_a_fixture_of_the_test_that_fails_is_a_trial_that_failed(suite, place):
    """In the first trial as in any other; the other trials count."""
    before, after = ("assert nth() != 1", "pass") if place == "set-up" else ("pass", "assert nth() != 1")
    shop = suite(f"""
@pytest.fixture
def own(llm):
    {before}
    yield
    {after}

@pytest.mark.llmval_trials(20, min_pass_rate=0.5)
def test_it(own): pass
""")

    shop.run().assert_outcomes(passed=1)

    trials = trials_of(shop)
    assert trials[0] == "failed"
    assert set(trials[1:]) == {"passed"}


def test_a_teardown_that_fails_after_a_lost_server_says_nothing_of_the_model(suite):
    """It mostly fails because the server did: the trial is lost, not failed."""
    shop = suite("""
from pytest_llmval.errors import ServerError

@pytest.fixture
def own(llm):
    yield
    assert nth() != 2, "nothing to clean up"

@pytest.mark.llmval_trials(20, min_pass_rate=0.5)
def test_it(own):
    if nth("test") == 2:
        raise ServerError("the server is gone")
""")

    shop.run().assert_outcomes(passed=1)

    assert trials_of(shop)[:3] == ["passed", "lost", "passed"]


def test_a_set_up_that_always_fails_is_shown(suite):
    """The test never runs; the failure names the line of the fixture."""
    shop = suite("""
@pytest.fixture
def own(llm): assert 1 == 2, "no set-up"

@pytest.mark.llmval_trials(20, min_pass_rate=0.5)
def test_it(own): nth()
""")

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   ModelRegression: 0 of 8 trials passed*", "E * AssertionError: no set-up"])


def test_a_shared_fixture_that_fails_is_an_error_and_no_verdict(suite):
    """It stays broken for the whole module, so that further trials would say nothing of the model."""
    shop = suite("""
@pytest.fixture(scope="module")
def shared(): raise ValueError("broken for all")

@pytest.mark.llmval_trials(20, min_pass_rate=0.5)
def test_at_once(shared): pass

@pytest.mark.llmval_trials(20, min_pass_rate=0.5)
def test_later(request, llm):
    if nth() == 3:
        request.getfixturevalue("shared")
""")

    result = shop.run()

    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_at_once*", "E * ValueError: broken for all", "*test_later*"])
    result.stdout.no_fnmatch_line("*pass rate over trials*")


def test_a_skip_in_any_trial_skips_the_test(suite):
    """Without a verdict."""
    shop = suite("""
@pytest.mark.llmval_trials(9)
def test_it(llm):
    if nth() == 3:
        pytest.skip("no need")
""")

    result = shop.run("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*test_repeated.py:*no need"])
    result.stdout.no_fnmatch_line("*pass rate over trials*")


def test_expected_failures_speak_of_the_verdict(suite):
    """`xfail` is for the test as a whole, however many of its trials fail."""
    shop = suite("""
@pytest.mark.xfail(reason="known")
@pytest.mark.llmval_trials(20, min_pass_rate=0.9)
def test_bad(llm): assert nth("bad") % 2

@pytest.mark.xfail(reason="known")
@pytest.mark.llmval_trials(12, min_pass_rate=0.5)
def test_good(llm): assert nth("good") != 2
""")

    result = shop.run()

    result.assert_outcomes(xfailed=1, xpassed=1)


def test_pytest_exit_and_ctrl_c_are_no_failures(suite):
    """They end the run in the middle of the trials; the fixtures of that trial are torn down."""
    body = """
@pytest.fixture
def own(llm):
    yield
    print("torn down")

@pytest.mark.llmval_trials(9)
def test_it(own):
    if nth() == 3:
        {stop}
"""
    stopped = suite(body.format(stop="raise KeyboardInterrupt")).run_subprocess("-s")
    ended = suite(body.format(stop="pytest.exit('enough')")).run_subprocess("-s")

    for result in (stopped, ended):
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.no_fnmatch_line("*pass rate over trials*")
        assert result.stdout.str().count("torn down") == 3
    stopped.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    ended.stdout.fnmatch_lines(["*Exit: enough*"])


def test_a_rerun_repeats_all_trials_and_replaces_the_verdict(suite, distribution):
    """With pytest-rerunfailures: the first attempt fails in all of its trials, the second passes in all."""
    shop = suite("""
@pytest.mark.llmval_trials(12, min_pass_rate=0.7)
def test_it(llm): assert nth() > 5
""")

    result = shop.run(*distribution, "--reruns", "1")

    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 1
    assert outcomes["rerun"] == 1
    result.stdout.fnmatch_lines(["SHOWN: old -> new, 1 gate: equivalent"])
    assert trials_of(shop) == ["passed"] * 12


ECHO = (
    START
    + """
from pytest_llmval.servers.exchange import Response
from pytest_llmval.servers.scripted import ScriptedServer

class Echo(ScriptedServer):
    def answer(self, requests):
        return [Response(text=str(request.seed)) for request in requests]

@pytest.fixture(autouse=True, scope="session")
def echo(llmval_run):
    for model in (llmval_run.settings.candidate, llmval_run.settings.baseline):
        llmval_run._servers._open[model] = Echo({})
"""
)
"""Both versions answer with the seed they were given."""


def test_each_trial_has_its_own_seed_and_record(suite):
    """The first trial has the run's seed, as without trials; the same run gives the same seeds."""
    shop = suite(
        start=ECHO,
        body="""
@pytest.mark.llmval_trials(5)
def test_it(llm):
    one = llm.generate("say", temperature=1.0)
    two = llm.chat([{"role": "user", "content": "say"}], temperature=1.0)
    assert one.text == two.text and nth(one.text) == 1
    assert llm.generate("say", seed=3).text == "3"
""",
    )

    shop.run("--llmval-seed=7").assert_outcomes(passed=1)

    records = [json.loads(line) for path in calls_of(shop) for line in path.read_text().splitlines()]
    assert [record["trial"] for record in records] == [trial for trial in range(5) for _ in range(3)]
    seeds = [record["request"]["seed"] for record in records[::3]]
    assert seeds[0] == 7
    assert len(set(seeds)) == 5
    assert len({record["key"] for record in records}) == 15
    shop.run("--llmval-seed=7")
    again = [json.loads(line) for path in calls_of(shop) for line in path.read_text().splitlines()]
    assert [record["request"]["seed"] for record in again[::3]] == seeds


def calls_of(shop):
    """Files with the direct calls of the last run."""
    return list((shop.runs[-1] / "responses").glob("calls-*.jsonl"))


EACH = """
from pytest_llmval import cases
qa = cases("qa.jsonl", prompt="{question}", reference="{answer}", temperature=1.0)

@qa.each
@pytest.mark.llmval_trials(4)
def test_each(case, response, baseline_response):
    assert response.trials == (response.with_case(case, ()),)
    assert response.text == baseline_response.text
    assert nth(f"{case.id} {response.text}") == 1
"""


def test_each_case_is_answered_anew_in_each_trial(suite, distribution):
    """The seed depends on case and trial, the same for both versions; `response` is that trial's answer."""
    shop = suite(EACH, start=ECHO)
    shop.write_cases(count=3)

    shop.run(*distribution).assert_outcomes(passed=3)

    expected = {(version, f"q{i}", trial) for version in ("new", "old") for i in range(3) for trial in range(4)}
    assert shop.records().keys() == expected
    assert len({record["request"]["seed"] for record in shop.records().values()}) == 12


def test_blocks_of_a_trial_are_asked_when_it_is_reached(suite):
    """The first failure decides, and nothing is asked for the trials that are not run."""
    shop = suite(
        """
from pytest_llmval import cases
qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.each
@pytest.mark.llmval_trials(9)
def test_each(case, response):
    assert nth(case.id) < 3
""",
        start=START,
    )
    shop.write_cases(count=3)

    shop.run(versions=("new",)).assert_outcomes(failed=3)

    assert {trial for _, _, trial in shop.records()} == {0, 1, 2}


def test_a_later_run_takes_the_answers_of_all_trials_over(suite):
    """Trials of cases are stored like any other answers."""
    shop = suite(EACH.replace("response.text == baseline_response.text", "True").replace("== 1", ">= 1"), start=START)
    shop.write_cases(count=3)
    shop.run()

    result = shop.run()

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["new: 0 answers measured, 12 replayed from an earlier run*"])


def test_the_trials_of_a_case_set_and_those_of_a_test_share_their_answers(suite):
    """`cases(trials=2)` and the marker ask the same question in the same trial once: nine, and one direct call."""
    shop = suite("""
from pytest_llmval import assert_at_least, cases, exact_match
qa = cases("qa.jsonl", prompt="{question}", reference="{answer}", trials=2)

@qa.each
@pytest.mark.llmval_trials(3)
def test_each(response): assert len(response.trials) == 1

@qa.all
def test_all(responses): assert all(len(each.trials) == 2 for each in responses)
""")
    shop.write_cases(count=3)

    result = shop.run(versions=("new",))

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["new: 10 answers measured*"])


def test_a_recorded_baseline_answers_trial_by_trial(suite):
    """As far as trials were recorded; a test that asks for more of them is skipped."""
    shop = suite(
        start=START,
        body="""
from pytest_llmval import cases
qa = cases("qa.jsonl", prompt="{question}", reference="{answer}", trials=2)

@qa.all
def test_all(responses): pass

@qa.each
@pytest.mark.llmval_trials(2)
def test_two(response, baseline_response):
    assert len(baseline_response.trials) == 1 and response.text == baseline_response.text

@qa.each
@pytest.mark.llmval_trials(3)
def test_three(response, baseline_response): pass
""",
    )
    shop.write_cases(count=2)
    shop.run("-k", "all", versions=("old",))
    assert CliRunner().invoke(main, ["bless", "latest", "--as", "then"]).exit_code == 0

    result = shop.run("-rs", versions=("new", "then"))

    result.assert_outcomes(passed=3, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*the recorded baseline 'then' has no answer to case 'q*: none was recorded*"])


def test_trials_that_repeat_one_another_are_named(suite):
    """Greedy requests and seeds that the test fixes give the same answer in every trial."""
    shop = suite("""
@pytest.mark.llmval_trials(3)
def test_greedy(llm): llm.generate("say")

@pytest.mark.llmval_trials(3)
def test_fixed(llm): llm.generate("say", temperature=1.0, seed=3)

@pytest.mark.llmval_trials(3)
def test_sampled(llm): llm.generate("say", temperature=1.0)

@pytest.mark.llmval_trials(3)
def test_silent(llm): pass
""")
    shop.add_version("any")
    shop.write_lines("any.jsonl", [{"prompt": "*", "text": "yes"}])

    shop.run(versions=("any",)).assert_outcomes(passed=4)

    reasons = {test.rpartition("::")[2]: verdict["reason"] for test, verdict in shop.verdicts().items()}
    alike = "all requests are greedy or fix their own seed, so that the trials repeat one another"
    assert reasons == {"test_greedy": alike, "test_fixed": alike, "test_sampled": "", "test_silent": ""}


LOSING = """
from pytest_llmval.errors import {error}

@pytest.mark.llmval_trials(20, min_pass_rate=0.7)
def test_it(llm):
    if nth() in {numbers}:
        raise {error}("the server hung up")
"""


def test_a_trial_lost_to_a_server_is_neither_good_nor_bad(suite):
    """One in 20 is not more than 5 %."""
    shop = suite(LOSING.format(error="ServerError", numbers=[1]))

    shop.run().assert_outcomes(passed=1)

    (verdict,) = shop.all_verdicts()
    counts = verdict["counts"]
    assert (counts["failed"], counts["unscored"], counts["compared"]) == (1, 0, counts["cases"] - 1)
    assert verdict["reason"] == "1 trial gave no result, trial 1: ServerError: the server hung up"


def test_too_many_lost_trials_are_invalid_and_a_matter_of_infrastructure(suite, distribution):
    """Two in 20: the test stops at once, and the run ends with 75, try later."""
    shop = suite(LOSING.format(error="ServerError", numbers=[1, 3]))

    result = shop.run(*distribution)

    result.assert_outcomes(failed=1)
    assert result.ret == 75
    result.stdout.fnmatch_lines([
        "E   pytest_llmval.errors.ServerError: pass rate over trials cannot be decided",
        "    more than 5% of 20 planned trials are lost; 2 trials gave no result, trial 3: ServerError: *hung up",
        "-* trial 3, the last that did not pass -*",
        "INVALID: old -> new, 1 gate: invalid",
    ])  # fmt: skip
    assert trials_of(shop) == ["lost", "passed", "lost"]


def test_a_server_that_fails_while_the_first_trial_is_set_up_loses_one_trial(suite):
    """The answer to a case is asked by a fixture."""
    shop = suite("""
from pytest_llmval import cases
qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.each
@pytest.mark.llmval_trials(9)
def test_each(response): pass
""")
    shop.write_cases(count=2)
    shop.add_version("crashing", failed=[1])

    result = shop.run(versions=("crashing",))

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*trial 1: ServerError: crashing gave no answer to case 'q1': the server hung up"])


def test_a_failure_after_a_request_without_answer_is_lost(suite):
    """The test saw an empty text and failed; nothing is known of the model."""
    shop = suite("""
@pytest.mark.llmval_trials(9)
def test_it(llm): assert llm.generate("what is 1").text
""")
    shop.add_version("crashing", failed=[1])

    result = shop.run(versions=("crashing",))

    assert result.ret == 75
    result.stdout.fnmatch_lines(["*1 trial gave no result, trial 1: a request got no answer: the server hung up"])


def test_errors_that_are_no_answer_end_the_test(suite):
    """A store that cannot be written is no failure of the model, in whichever trial."""
    shop = suite(LOSING.format(error="StoreError", numbers=[3]))

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * pytest_llmval.errors.StoreError: the server hung up"])
    result.stdout.no_fnmatch_line("*pass rate over trials*")


def test_a_capability_that_the_server_lacks_skips_the_test(suite):
    """It would be lacking in every trial."""
    shop = suite("@pytest.mark.llmval_trials(9)\ndef test_it(llm): llm.logits('a')")

    result = shop.run("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*lacks the capability 'logits'*"])


GATES = """
from pytest_llmval import Scores, assert_at_least

def gate(values, bar):
    ids = tuple(f"q{{i}}" for i in range(len(values)))
    assert_at_least(Scores("exact_match", ids, tuple(map(float, values))), bar)

@pytest.mark.llmval_trials(20, min_pass_rate=0.7)
def test_it(llm):
    {gate}
"""


@pytest.mark.parametrize(
    ("gate", "outcome", "trials"),
    [
        ("gate([1] * 60, 0.9); gate([1] * 60, 0.8)", "equivalent", {"passed"}),
        ("gate([0] * 60, 0.9)", "regressed", {"failed"}),
        ("gate([1, 0] * 5, 0.5)", "invalid", {"undecided"}),
    ],
)
def test_gates_within_a_trial_leave_one_verdict(suite, gate, outcome, trials):
    """A gate that fails makes its trial fail; one that is not decided makes it say nothing."""
    shop = suite(GATES.format(gate=gate))

    result = shop.run()

    (verdict,) = shop.all_verdicts()
    assert (verdict["kind"], verdict["outcome"], verdict["evidence"]["gate"]) == ("trials", outcome, 1)
    assert set(trials_of(shop)) == trials
    if outcome == "invalid":
        assert result.ret == 1
        result.stdout.fnmatch_lines(["E   InvalidComparison: pass rate over trials cannot be decided"])


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ("llmval_trials()", "llmval_trials(n, min_pass_rate=1.0): n is missing; expected the number of trials, *"),
        ("llmval_trials(0)", "llmval_trials: n=0; expected a whole number of at least 1"),
        ("llmval_trials(2.5)", "llmval_trials: n=2.5; expected a whole number of at least 1"),
        ("llmval_trials(True)", "llmval_trials: n=True; expected a whole number of at least 1"),
        (
            "llmval_trials(n=5, min_pass_rate=0)",
            "llmval_trials: min_pass_rate=0; expected a share above 0 and up to 1*",
        ),
        (
            "llmval_trials(5, 90)",
            "llmval_trials: min_pass_rate=90; expected a share above 0 and up to 1, for example 0.9",
        ),
        ("llmval_trials(5, float('nan'))", "llmval_trials: min_pass_rate=nan; expected a share above 0 and up to 1*"),
        ("llmval_trials(5, '0.9')", "llmval_trials: min_pass_rate='0.9'; expected a share above 0 and up to 1*"),
        ("llmval_trials(1, 0.9)", "llmval_trials: n=1 with min_pass_rate=0.9; one trial shows no rate, expected *2"),
        ("llmval_trials(5, min_rate=0.9)", "*: unexpected argument 'min_rate'; did you mean 'min_pass_rate'? known: *"),
        ("llmval_trials(5, n=6)", "*: given [[]5[]] and {'n': 6}; expected each argument once"),
        ("llmval_trials(5, 0.9, 3)", "*: given [[]5, 0.9, 3[]] and {}; expected each argument once"),
    ],
)
def test_wrong_arguments_stop_the_collection(suite, marker, text):
    """The message names the test, what was given and what would be right."""
    shop = suite(f"@pytest.mark.{marker}\ndef test_it(): pass")

    result = shop.run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ERROR collecting test_repeated.py*", f"test_it: {text}"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            """
from pytest_llmval import cases
qa = cases("qa.jsonl", prompt="{question}")

@pytest.mark.llmval_trials(5)
@qa.all
def test_it(responses): pass
""",
            "test_it: llmval_trials repeats single tests, and this one judges all of qa; *with cases(..., trials=5)",
        ),
        (
            "@pytest.mark.llmval_trials(5)\ndef test_it(subtests): pass",
            "test_it: llmval_trials and the fixture 'subtests' exclude each other: *",
        ),
        (
            """
@pytest.mark.parametrize("a", [pytest.param(1, marks=pytest.mark.llmval_trials(0))])
def test_it(a): pass
""",
            "test_it[[]1[]]: llmval_trials: n=0; expected a whole number of at least 1",
        ),
    ],
)
def test_tests_that_cannot_be_repeated_are_refused(suite, body, text):
    """At collection, with what to do instead."""
    result = suite(body).run()

    assert result.ret != 0
    result.stdout.fnmatch_lines(["*ERROR collecting test_repeated.py*", text])


def test_methods_of_unittest_are_refused(suite):
    """Their failures do not come out of the call, so that every trial would seem to pass."""
    shop = suite("""
import unittest

class TestCase(unittest.TestCase):
    @pytest.mark.llmval_trials(5)
    def test_it(self): self.fail()
""")

    result = shop.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["test_it: llmval_trials repeats test functions and methods of plain classes, not *s"])


def test_the_marker_is_registered(suite):
    """With a line of help, and known to --strict-markers."""
    shop = suite("@pytest.mark.llmval_trials(2)\ndef test_it(llm): pass")

    shop.run("--strict-markers").assert_outcomes(passed=1)
    shop.run("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.llmval_trials(n, min_pass_rate=1.0): run the test up to*"]
    )


def test_reports_show_it_like_any_other_gate(suite):
    """In `summary.md` and, as properties of the suite, in JUnit's file; the failure's message is the headline."""
    shop = suite("@pytest.mark.llmval_trials(20, min_pass_rate=0.9)\ndef test_it(llm): assert not nth()")

    shop.run("--junitxml=junit.xml")

    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert (
        "| test_repeated.py::test_it pass rate over trials | bar 0.900 | 0.000 | - | [0.000, 0.632] | - | 3 |"
        in summary
    )
    assert "shown below the bar of 0.9; trial 3: AssertionError: assert not 3" in summary
    junit = (shop.path / "junit.xml").read_text(encoding="utf-8")
    assert 'name="llmval.test_repeated.py::test_it.pass rate over trials.bar" value="0.9"' in junit
    assert re.search(r'<failure message="ModelRegression: 0 of 3 trials passed \(0\.000, 90% CI', junit)


def test_a_test_without_the_marker_asks_as_it_always_did(suite):
    """With the seed of the run."""
    shop = suite("def test_it(llm): assert llm.generate('say', temperature=1.0).text == '7'", start=ECHO)

    shop.run("--llmval-seed=7").assert_outcomes(passed=1)
