"""Workers, engine and controller are killed for real: nothing stays behind, nothing is lost or counted twice."""

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
CASES = 48
CONFIG = f"""
block = 4
[models.v1]
server = "transformers"
model = {json.dumps(str(MODEL))}
"""
SUITE = f"""
from pytest_llmval import cases

rows = [{{"id": f"q{{i}}", "question": f"Question: how much is item {{i}}?"}} for i in range({CASES})]
qa = cases(rows, prompt="{{question}}", max_tokens=40)

@qa.each
def test_each(case, response):
    assert response.error is None

@qa.all
def test_whole(responses):
    assert len(responses) == {CASES}
"""
SABOTAGE = """
import os, signal, threading, time, resource
from pathlib import Path

def engines():
    lines = [line for log in Path(".llmval").glob("runs/*/engine.log") for line in log.read_text().splitlines()]
    return [int(line.split()[-1]) for line in lines if line.startswith("engine ") and ": process " in line]

def blocks():
    return len(list(Path(".llmval").glob("runs/*/responses/*.jsonl")))

def wait_for(is_there):
    while not is_there():
        time.sleep(0.002)

def spoil(config):
{act}

def pytest_configure(config):
    if hasattr(config, "workerinput"):
        Path("workers").open("a").write(f"{{os.getpid()}}\\n")
        in_worker()
    else:
        threading.Thread(target=spoil, args=(config,), daemon=True).start()

def in_worker():
    {in_worker}
"""
# Whoever runs these tests in the background may have them ignore Ctrl-C, which processes inherit.
LISTENING = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main())
"""
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc"),
]


@pytest.fixture
def suite(pytester):
    """Questions to an example model, in blocks of four."""
    pytester.path.joinpath("llmval.toml").write_text(CONFIG, encoding="utf-8")
    pytester.makepyfile(test_qa=SUITE)
    return pytester


class Ended:
    """A run that is over, and what it left."""

    def __init__(self, folder, status, output):
        self.folder, self.status, self.output = folder, status, output

    @property
    def engines(self):
        """Process ids of all engines."""
        lines = (self.folder.joinpath(*each).read_text("utf-8") for each in self._logs())
        return [int(line.split()[-1]) for text in lines for line in text.splitlines() if line.startswith("engine ")]

    def _logs(self):
        return [path.relative_to(self.folder).parts for path in self.folder.glob(".llmval/runs/*/engine.log")]

    @property
    def processes(self):
        """Process ids of workers and engines."""
        workers = self.folder / "workers"
        told = map(int, workers.read_text("utf-8").split()) if workers.exists() else ()
        return [*told, *self.engines]

    @property
    def answered(self):
        """Cases with an answer, as often as they are recorded."""
        paths = self.folder.glob(".llmval/runs/*/responses/*.jsonl")
        return sorted(json.loads(line)["case_id"] for path in paths for line in path.read_text("utf-8").splitlines())


def run(suite, act="pass", in_worker="pass"):
    """Run the suite on two workers while `act` happens in the controller, and `in_worker` in each worker first."""
    suite.makeconftest(SABOTAGE.format(act=textwrap.indent(act, "    "), in_worker=in_worker))
    command = [sys.executable, "-c", LISTENING, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-n", "2"]
    with (suite.path / "output.txt").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "--model-version=v1"],
            cwd=suite.path,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = process.wait(120)
        output.seek(0)
        ended = Ended(suite.path, status, output.read())
    assert_gone(ended)
    return ended


def assert_gone(ended):
    """All processes of the run end soon after it."""
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in ended.processes):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in ended.processes if is_running(pid)]}"
        time.sleep(0.05)


def is_running(pid):
    """Whether there is such a process; one that waits to be buried is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_cases():
    """Each case once."""
    return sorted(f"q{i}" for i in range(CASES))


def test_an_engine_killed_in_a_block_is_replaced_and_the_block_repeated(suite):
    """Everything passes, each case is answered once, and the report says that the engine was started anew."""
    ended = run(suite, "wait_for(lambda: blocks() >= 2)\nos.kill(engines()[0], signal.SIGKILL)")

    assert ended.status == 0, ended.output
    assert len(ended.engines) == 2
    assert ended.answered == all_cases()
    assert f"v1: {CASES} answers measured" in ended.output
    assert "the engine process died (exit status -9) and was started anew; its log: " in ended.output


def test_an_engine_that_dies_again_is_infrastructure(suite):
    """Status 75, the log's end in the message, the blocks that were answered are kept."""
    kill_both = "for which in (0, 1):\n    wait_for(lambda: len(engines()) > which and blocks() >= which + 2)\n"
    ended = run(suite, kill_both + "    os.kill(engines()[which], signal.SIGKILL)")

    assert ended.status == 75, ended.output
    assert len(ended.engines) == 2
    assert set(ended.answered) < set(all_cases())
    assert len(ended.answered) == len(set(ended.answered))
    assert (
        "the engine process died 2 times (exit status -9, -9; -9 is killed, perhaps for want of memory)" in ended.output
    )


def test_an_engine_that_outgrows_its_memory_is_infrastructure(suite):
    """A limit set on the process: it dies or refuses; either way nothing counts as an answer, and the status is 75."""
    limit = "wait_for(engines)\nresource.prlimit(engines()[0], resource.RLIMIT_AS, (2**28, 2**28))"
    ended = run(suite, limit)

    assert ended.status == 75, ended.output
    assert ended.answered == []
    assert "MemoryError" in ended.output or "memory" in ended.output


def test_a_worker_that_is_killed_loses_no_case(suite):
    """Its test is reported as crashed, another worker goes on with the same engine, each case is answered once."""
    kill = "wait_for(lambda: blocks() >= 2)\nos.kill(int(Path('workers').read_text().split()[0]), signal.SIGKILL)"
    ended = run(suite, kill)

    assert ended.status == 75, ended.output
    assert "crashed while running" in ended.output
    assert f"v1: {CASES} answers measured" in ended.output
    assert len(ended.engines) == 1
    assert ended.answered == all_cases()


def test_the_engine_ends_when_the_controller_is_killed(suite):
    """Nobody is left to end it, so it does by itself; what was answered is kept."""
    ended = run(suite, "wait_for(lambda: blocks() >= 2)\nos.kill(os.getpid(), signal.SIGKILL)")

    assert ended.status == -signal.SIGKILL
    assert len(ended.engines) == 1
    assert len(ended.answered) == len(set(ended.answered)) >= 8


@pytest.mark.parametrize(
    "moment",
    ["time.sleep(0.3)", "wait_for(Path('workers').exists)", "wait_for(engines)", "wait_for(lambda: blocks() >= 2)"],
    ids=["starting", "collecting", "loading", "computing"],
)
def test_ctrl_c_leaves_no_process(suite, moment):
    """At any moment; what was answered is kept, once."""
    ended = run(suite, f"{moment}\nos.killpg(0, signal.SIGINT)")

    assert ended.status in (2, -signal.SIGINT, 130), ended.output
    assert len(ended.answered) == len(set(ended.answered))
    assert "INTERNALERROR" not in ended.output  # a worker that is still being imported says where it was


def test_an_impatient_ctrl_c_leaves_no_process(suite):
    """A second one while the first is being obeyed."""
    ended = run(
        suite,
        "wait_for(lambda: blocks() >= 1)\nfor _ in range(3):\n    os.killpg(0, signal.SIGINT)\n    time.sleep(0.1)",
    )

    assert ended.status != 0


def test_a_full_disk_is_infrastructure(suite):
    """No block can be committed any more: status 75, and each message says which file and what to do."""
    ended = run(suite, in_worker="resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))")

    assert ended.status == 75, ended.output
    assert "File too large; records go where --llmval-store says" in ended.output
