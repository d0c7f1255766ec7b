"""Real faults of a real server process that the run starts: the right number of calls, no verdict, no process left."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

FAULTY_SERVER = Path(__file__).parent / "faulty_server.py"
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
# Whoever runs these tests in the background may have them ignore Ctrl-C, which processes inherit.
LISTENING = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main())
"""
SUITE = """
from pytest_llmval import assert_at_least, cases, exact_match

rows = [{"id": f"q{i}", "question": f"what is {i}", "answer": f"it is {i}"} for i in range(4)]
qa = cases(rows, prompt="{question}", reference="{answer}")

@qa.each
def test_each(case, response):
    assert case["answer"] == response.text

@qa.all
def test_gate(responses):
    assert_at_least(exact_match(responses), 0.2)
"""


@pytest.fixture
def faulty(served):
    """A suite of four questions and a gate."""
    served.pytester.makepyfile(test_qa=SUITE)
    return served


def test_a_sound_server_is_started_once(faulty, distribution):
    """Four cases, four requests, one process, which ends with the run; its log is among the records."""
    faulty.configure()

    result = faulty.run(*distribution)

    result.assert_outcomes(passed=5)
    assert len(faulty.started) == 1
    assert sorted(each["prompt"] for each in faulty.asked) == [f"what is {i}" for i in range(4)]
    (log,) = faulty.path.glob(".llmval/runs/*/server-new.log")
    assert "start 1" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_a_server_that_is_never_healthy(faulty, distribution):
    """It is waited for once and ended; every test is infrastructure; the end of its log is shown."""
    faulty.configure("never healthy", start_timeout=1)

    result = faulty.run(*distribution)

    assert result.ret == 75
    result.assert_outcomes(errors=5)
    assert len(faulty.started) == 1
    result.stdout.fnmatch_lines(["*'new'*was not healthy after 1 s*", "*server-new.log:", "*start 1*"])


def test_a_server_that_ends_at_once(faulty):
    """Its exit status and its last words are shown, long before the time is over."""
    faulty.configure("ends")

    result = faulty.run()

    assert result.ret == 75
    result.stdout.fnmatch_lines(["*exit status 1*", "*there is no such device"])


def test_a_server_that_asks_to_be_left_alone(faulty):
    """Two requests are refused with Retry-After and sent again a second later: four answers from six requests."""
    faulty.configure("throttled", 2, concurrency=2)
    began = time.monotonic()

    result = faulty.run()

    result.assert_outcomes(passed=5)
    assert len(faulty.asked) == 6
    assert time.monotonic() - began > 1


@pytest.mark.parametrize(
    ("fault", "more", "words"),
    [
        ("failing", {}, "500: on fire"),
        ("garbage", {}, "the answer is not JSON: '<html>it works</html>'"),
        ("nothing", {"timeout": 0.3}, "no answer within 0.3 s"),
        ("slow", {"timeout": 0.3}, "no answer within 0.3 s"),
        ("hang up", {"streams": True}, "the answer broke off before its end"),
    ],
)
def test_a_fault_that_stays_is_infrastructure(faulty, fault, more, words):
    """The first request is sent three times, and none after it for a while; nothing is judged; status 75."""
    faulty.configure(fault, 1000, concurrency=1, attempts=3, **more)

    result = faulty.run()

    assert result.ret == 75
    result.assert_outcomes(errors=5)
    assert len(faulty.asked) == 3
    result.stdout.fnmatch_lines([f"*no answer after 3 attempts in *{words}*", "*0 answers measured*"])
    assert not list(faulty.path.glob(".llmval/runs/*/verdicts.jsonl"))


@pytest.mark.parametrize(
    ("fault", "more"),
    [("failing", {}), ("garbage", {}), ("slow", {"timeout": 0.5}), ("hang up", {"streams": True})],
)
def test_a_fault_that_passes_leaves_no_trace_in_the_verdicts(faulty, fault, more):
    """One request more, and every test passes."""
    faulty.configure(fault, 1, **more)

    result = faulty.run()

    result.assert_outcomes(passed=5)
    assert len(faulty.asked) == 5


def test_a_server_that_crashes_is_started_anew(faulty, distribution):
    """On another port, and the request is sent again: five requests to two processes."""
    faulty.configure("crash", 1, concurrency=1)

    result = faulty.run(*distribution)

    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["new: 4 answers measured, its server died (exit status 13) and was started anew"])
    assert len(faulty.started) == 2
    assert [each["pid"] for each in faulty.asked] == [faulty.started[0]] + [faulty.started[1]] * 4


def test_a_server_that_crashes_again_is_given_up(faulty, distribution):
    """It is started anew once; then every test is infrastructure, with both exit statuses and its last words."""
    faulty.configure("crash", 1000, concurrency=1)

    result = faulty.run(*distribution)

    assert result.ret == 75
    result.assert_outcomes(errors=5)
    assert len(faulty.started) == len(faulty.asked) == 2
    result.stdout.fnmatch_lines(
        ["*died 2 times (exit status 13, then exit status 13) and was given up*", "*asked 'what*"]
    )


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_nothing_is_left_when_the_run_is_ended(faulty, distribution, end):
    """Whether pytest can say goodbye or not."""
    faulty.configure("nothing", 1000)
    command = [sys.executable, "-c", LISTENING, *QUIET, "--model-version=new", *distribution]
    run = subprocess.Popen(command, cwd=faulty.path, stdout=subprocess.DEVNULL, start_new_session=True)
    while not faulty.asked:
        assert run.poll() is None
        time.sleep(0.05)

    os.kill(run.pid, end)

    run.wait(30)
    assert faulty.none_is_left()


@pytest.mark.parametrize("selected", ["q1", "gate"])
def test_ctrl_c_does_not_wait_for_a_server_that_runs_anyway(faulty, distribution, selected):
    """One case or several blocks are under way to a server that answers in a minute; the prompt is back at once."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, str(FAULTY_SERVER), "--port", str(port), "nothing", "1000"],
        cwd=faulty.path,
        stdout=subprocess.DEVNULL,
    )
    faulty.configure(url=f"http://127.0.0.1:{port}/v1", block=1)
    command = [sys.executable, "-c", LISTENING, *QUIET, "--model-version=new", "-k", selected, *distribution]
    run = subprocess.Popen(command, cwd=faulty.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not faulty.asked:
        assert run.poll() is None
        time.sleep(0.05)

    run.send_signal(signal.SIGINT)

    try:
        assert run.wait(20) == pytest.ExitCode.INTERRUPTED
    finally:
        server.kill()
        server.wait()


def test_a_test_restarts_the_server(faulty, distribution):
    """The fixture tells where it is; after a restart that is elsewhere, and it answers again."""
    faulty.pytester.makepyfile(
        test_qa="""
                from pathlib import Path
        from urllib.request import urlopen

        def test_it(model_server, llm):
            before = model_server.url, model_server.pid
            assert urlopen(model_server.url.removesuffix("/v1")).status == 200
            assert Path(f"/proc/{model_server.pid}").is_dir()
            assert "start 1" in model_server.log.read_text()
            assert llm.generate("what is 1").text == "it is 1"

            model_server.restart()

            assert (model_server.url, model_server.pid) != before
            assert not Path(f"/proc/{before[1]}").is_dir()
            assert llm.generate("what is 2").text == "it is 2"
            assert llm.peak_memory > 1_000_000
            assert repr(model_server) == f"<server of new: {model_server.url}>"
        """
    )
    faulty.configure()

    faulty.run(*distribution).assert_outcomes(passed=1)


def test_a_server_that_was_not_started_here_is_not_restarted(faulty):
    """The test is skipped with the reason; its URL is known all the same."""
    faulty.pytester.makepyfile(
        test_qa="""
        def test_it(model_server):
            assert (model_server.url, model_server.pid, model_server.log) == ("http://127.0.0.1:9/v1", None, None)
            model_server.restart()
        """
    )
    faulty.configure(url="http://127.0.0.1:9/v1")

    result = faulty.run("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*at http://127.0.0.1:9/v1 was not started by this run: it cannot be restarted"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"command": ["server"]}, "*command = ?'server'? takes no port; write {port} where it goes"),
        ({"command": ["no-such-program", "{port}"]}, "*command: there is no program 'no-such-program'"),
        ({"command": "server {port}"}, "*command = 'server {port}'; expected a list of texts"),
        ({"env": ["A=B"]}, "*env = ?'A=B'?; expected a table of texts"),
        ({"python": "python9"}, '*python does nothing with server = "openai"; it belongs to "vllm", "triton"'),
        ({"command": []}, "*url = ''; expected the base URL of the server, such as 'http://127.0.0.1:8000/v1', or *"),
        (
            {"url": "http://127.0.0.1:9/v1", "health": "/up"},
            "*health does nothing with a url: that server runs already",
        ),
        (
            {"api_key_env": "sk-abc"},
            "*api_key_env is no name of an environment variable; a key itself belongs into the *",
        ),
        ({"start_timeout": 0}, "*start_timeout = 0; expected seconds above 0"),
    ],
)
def test_wrong_settings_stop_before_any_test(faulty, wrong, message):
    """Status 4, with the key and what would be right."""
    faulty.configure("none", **wrong)

    result = faulty.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
