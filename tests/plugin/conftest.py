"""A suite of questions about numbers, with versions whose answers are written down."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

N = 60
FAULTY_SERVER = Path(__file__).parent / "faulty_server.py"
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Inner runs without plugins that only cost them time."""

SUITE = """
from pytest_llmval import assert_at_least, assert_no_regression, cases, exact_match

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.each
def test_each(case, response):
    assert case["answer"] == response.text

@qa.all
def test_gate(responses, baseline_responses):
    assert_no_regression(exact_match(responses), exact_match(baseline_responses))
"""


@dataclass
class Shop:
    """A folder with `qa.jsonl`, `llmval.toml` and scripted versions."""

    pytester: pytest.Pytester

    @property
    def path(self) -> Path:
        """The folder."""
        return self.pytester.path

    def write_cases(self, count=N, **fields):
        """The questions `what is 0` …, each with its answer."""
        rows = [{"id": f"q{i}", "question": f"what is {i}", "answer": f"it is {i}", **fields} for i in range(count)]
        self.write_lines("qa.jsonl", rows)

    def write_lines(self, name, rows):
        """A JSON Lines file."""
        (self.path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def add_version(self, name, wrong=(), failed=(), **more):
        """A version that is wrong on some questions and gives no answer to others."""
        answers = []
        for i in range(N):
            entry = {"prompt": f"what is {i}", "text": "no idea" if i in wrong else f"it is {i}"}
            answers.append(entry | ({"error": "the server hung up"} if i in failed else {}))
        self.write_lines(f"{name}.jsonl", answers)
        keys = {"server": "scripted", "answers": f"{name}.jsonl", **more}
        lines = [f"[models.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        with (self.path / "llmval.toml").open("a", encoding="utf-8") as config:
            config.write("\n".join(lines) + "\n")

    def run(self, *args, versions=("new", "old")):
        """Run pytest on the suite, with both versions unless told otherwise."""
        named = [f"--{role}-version={name}" for role, name in zip(("model", "baseline"), versions, strict=False)]
        return self.pytester.runpytest(*QUIET, *named, *args)

    def run_subprocess(self, *args):
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*QUIET, "--model-version=new", "--baseline-version=old", *args)

    @property
    def runs(self) -> list[Path]:
        """Folders of all runs, oldest first."""
        return sorted((self.path / ".llmval" / "runs").iterdir(), key=lambda run: run.stat().st_mtime_ns)

    def records(self, run=None):
        """The records of a run, by version and case, without what differs between any two runs."""
        found = {}
        for path in sorted(((run or self.runs[-1]) / "responses").glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                record["response"].pop("timing")
                for name in ("recorded_at", "run_id", "replayed_from"):
                    record.pop(name)
                found[record["version"], record["case_id"], record["trial"]] = record
        return found

    def all_verdicts(self, run=None):
        """The verdicts of a run, in the order they were recorded."""
        lines = ((run or self.runs[-1]) / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
        return list(map(json.loads, lines))

    def verdicts(self, run=None):
        """The verdicts of a run, by test."""
        return {entry["test"]: entry for entry in self.all_verdicts(run)}

    def manifest(self, run=None):
        """The manifest of a run."""
        return json.loads(((run or self.runs[-1]) / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def shop(pytester, monkeypatch):
    """A suite of 60 questions: `old` is right on all of them, `new` as well."""
    # The inner run is nobody's worker, also when these tests are distributed themselves.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_qa=SUITE)
    made = Shop(pytester)
    made.write_cases()
    made.add_version("old")
    made.add_version("new")
    return made


@pytest.fixture(params=[(), ("-n", "2")], ids=["serial", "xdist"])
def distribution(request):
    """Serial, and over two workers of pytest-xdist."""
    return request.param


class Served:
    """A folder whose version `new` is served by `faulty_server.py`, which the run starts."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path

    def configure(self, fault="none", times=0, *, block=32, **more):
        """A server that has a fault so many times."""
        command = [sys.executable, str(FAULTY_SERVER), "--port", "{port}", fault, str(times)]
        start = {} if "url" in more else {"command": command, "start_timeout": 20}
        keys = {"server": "openai", "model": "tiny", **start, **more}
        lines = [f"block = {block}", "[models.new]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        (self.path / "llmval.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *args):
        """The suite in a process of its own; nothing of its server is left."""
        result = self.pytester.runpytest_subprocess(*QUIET, "--model-version=new", *args)
        assert self.none_is_left()
        return result

    @property
    def asked(self):
        """What reached the server, in all its processes."""
        return [json.loads(line) for line in self._lines("asked.jsonl")]

    @property
    def started(self):
        """The processes of the server, in order."""
        return list(map(int, self._lines("started.txt")))

    def _lines(self, name):
        path = self.path / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def none_is_left(self, seconds=20):
        """Whether all processes of the server are gone, soon."""
        end = time.monotonic() + seconds
        while any(map(_is_running, self.started)) and time.monotonic() < end:
            time.sleep(0.05)
        return not any(map(_is_running, self.started))


def _is_running(pid):
    """Whether a process is there and more than the entry of a dead one."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.fixture
def served(pytester, monkeypatch):
    """A folder without a suite yet, and a server that can fail."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return Served(pytester)
