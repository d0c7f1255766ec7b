"""Bars for speed, against a real server process that takes the time it is told."""

import http.client
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_llmval.cli.main import main

pytestmark = pytest.mark.servers

SCRIPT = Path(__file__).parent / "delayed_server.py"
CASES = 80
SLOW = 0.6
BETWEEN = 0.5
"""Seconds that every eighth answer exceeds, and no other: 10 of 80, so p50 does not, p95 does, and p90 may or not."""


class Served:
    """The server process."""

    def __init__(self, port):
        self.port = port

    def take(self, **times):
        """The times it takes from now on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/control", json.dumps({"delay": 0.01, "slow": SLOW} | times))
        connection.getresponse().read()
        connection.close()


@pytest.fixture(scope="module")
def process():
    """The process; it is ended by its own id."""
    with subprocess.Popen([sys.executable, str(SCRIPT)], stdout=subprocess.PIPE, text=True) as started:
        yield Served(int(started.stdout.readline()))
        started.terminate()


@pytest.fixture
def fast(shop, process):
    """The shop with 80 questions to the version `served`, and a function that writes the gates of the suite."""
    process.take()
    shop.write_cases(CASES)
    lines = ["[models.served]", 'server = "openai"', f'url = "http://127.0.0.1:{process.port}/v1"', 'model = "tiny"']
    with (shop.path / "llmval.toml").open("a", encoding="utf-8") as config:
        config.write("\n".join(lines) + "\n")
    return shop


def gates(shop, *bodies):
    """A suite of gates, one a test."""
    header = (
        "import json\n"
        "from pytest_llmval import *\n"
        "from pytest_llmval.scoring.serving.cost import cost\n"
        "from pytest_llmval.scoring.serving.parsing import parsed\n"
        "from pytest_llmval.scoring.serving.timing import latency\n"
        "from pytest_llmval.serving_asserts import assert_latency, assert_throughput\n"
        'qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")\n'
    )
    tests = "".join(f"\n@qa.all\ndef test_{at}(responses):\n    {body}\n" for at, body in enumerate(bodies))
    (shop.path / "test_qa.py").write_text(header + tests, encoding="utf-8")


@pytest.mark.parametrize("more", [(), ("streams = true",)], ids=["whole", "streamed"])
def test_bars_for_latency(fast, distribution, more):
    """The median passes, p95 fails, p90 is inconclusive between; the message names percentile, interval and bar."""
    with (fast.path / "llmval.toml").open("a", encoding="utf-8") as config:
        config.write("\n".join(more) + "\n")
    bar = f"{BETWEEN:.3f}"
    gates(
        fast,
        f"assert_latency(responses, p50={BETWEEN}, p95=5.0)",
        f"assert_latency(responses, p90={BETWEEN})",
        f"assert_latency(responses, p50=5.0, p95={BETWEEN}, p90=5.0)",
    )

    result = fast.run(*distribution, "-rs", versions=("served",))

    result.assert_outcomes(passed=1, skipped=1, failed=1)
    text = result.stdout.str()
    numbers = r"\(90% CI \[\d\.\d+, \d\.\d+\], n=80\)"
    assert re.search(rf"ModelRegression: latency p95 \d\.\d+ s {numbers}, bar {bar}$", text, re.MULTILINE)
    assert f"shown above the bar of {bar} s" in text
    assert re.search(rf"inconclusive: latency p90 \d\.\d+ s {numbers}, bar {bar}: not shown at or below", text)
    assert re.search(r"test_2 latency p95 +bar 0\.5 +\d\S* +- +\[\d\S*, \d\S*\] +- +80 +exceeded", text)
    result.stdout.fnmatch_lines(["*latency p95: worst case 1, q*"])
    kept = fast.all_verdicts()
    assert [(each["metric"], each["outcome"]) for each in kept if each["test"].endswith("test_2")] == [
        ("latency p50", "equivalent"),
        ("latency p90", "equivalent"),
        ("latency p95", "regressed"),
    ]
    assert all(each["low"] >= SLOW for each in kept if each["metric"] == "latency p95")
    assert all(each["kind"] == "latency" and len(each["evidence"]["measured"]["seconds"]) == CASES for each in kept)
    told = json.loads((fast.path / "llmval-out" / "results.json").read_text(encoding="utf-8"))
    assert (
        sorted(gate["metric"] for gate in told["gates"])
        == ["latency p50"] * 2 + ["latency p90"] * 2 + ["latency p95"] * 2
    )


def test_the_first_token_and_the_time_a_token(fast, process):
    """The first text comes after half of 0.4 s; the nine tokens after it share the other half, 0.022 s each."""
    process.take(delay=0.4, slow=0.4)
    with (fast.path / "llmval.toml").open("a", encoding="utf-8") as config:
        config.write("streams = true\nconcurrency = 40\n")
    gates(
        fast,
        "assert_latency(responses, of='first_token', p50=5.0)",
        "assert_latency(responses, of='per_token', p50=0.2)",
        "assert_latency(responses, of='per_token', p50=0.005)",
    )

    result = fast.run("-rs", versions=("served",))

    first, kept, exceeded = fast.all_verdicts()
    assert (first["outcome"], kept["outcome"], exceeded["outcome"]) == ("equivalent", "equivalent", "regressed")
    # A busy client sees the first text late, and then the others soon after it.
    assert first["low"] >= 0.2
    assert 0.01 < kept["candidate"] < 0.04
    result.stdout.fnmatch_lines(["*ModelRegression: time_per_token p50 0.0* s/token (90% CI *, n=80), bar 0.00500"])


def test_first_tokens_without_streaming(fast):
    """The message names the setting."""
    gates(fast, "assert_latency(responses, of='first_token', p95=0.2)")

    result = fast.run(versions=("served",))

    result.stdout.fnmatch_lines(["*InvalidComparison: first_token_latency p95 cannot be decided*"])
    result.stdout.fnmatch_lines(["*no answer has a measurement (0 failed, 80 without*: streams = true in llmval.toml*"])


def test_bars_for_throughput(fast, process, distribution):
    """Four at a time, 0.1 s each and ten tokens: at most 40 requests and 400 tokens a second, in at most 20 windows."""
    process.take(delay=0.1, slow=0.1)
    with (fast.path / "llmval.toml").open("a", encoding="utf-8") as config:
        config.write("concurrency = 4\n")
    gates(
        fast,
        "assert_throughput(responses, tokens_per_second=50, requests_per_second=5)",
        "assert_throughput(responses, tokens_per_second=50, requests_per_second=45)",
    )

    result = fast.run(*distribution, versions=("served",))

    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    rate, numbers = r"\d+\.\d+ requests/s", r"\(90% CI \[\d+\.\d+, \d+\.\d+\], n=80 in \d+ windows\)"
    assert re.search(rf"ModelRegression: requests_per_second {rate} {numbers}, bar 45\.000$", text, re.MULTILINE)
    kept = fast.all_verdicts()
    assert {each["kind"] for each in kept} == {"throughput"}
    assert all(10 < each["candidate"] / (10 if "token" in each["metric"] else 1) < 40 for each in kept)


def test_requests_that_failed(fast, process):
    """Two of 80 are infinitely slow, and p50 bears it; eight of 80 are too many to decide."""
    gates(fast, f"assert_latency(responses, p50={BETWEEN})")

    process.take(refused=[3, 9])
    passing = fast.run(versions=("served",))
    process.take(refused=list(range(1, 9)))
    refusing = fast.run(versions=("served",))

    passing.assert_outcomes(passed=1)
    assert fast.verdicts(fast.runs[0])["test_qa.py::test_0"]["headline"].endswith("n=80, 2 failed), bar 0.500")
    refusing.assert_outcomes(failed=1)
    refusing.stdout.fnmatch_lines(["*10.0% of the answers are lost, more than 5% (8 failed, *"])


def test_answers_that_were_replayed(shop):
    """A local version is taken over from the earlier run; the message says how to measure anew."""
    gates(shop, "assert_latency(responses, p50=1)", "assert_throughput(responses, requests_per_second=1)")

    untimed, replayed = shop.run(versions=("new",)), shop.run(versions=("new",))

    untimed.stdout.fnmatch_lines(["*no answer has a measurement (0 failed, 60 *: the server tells no times)"])
    replayed.assert_outcomes(failed=2)
    replayed.stdout.fnmatch_lines(
        ["*InvalidComparison: latency p50 cannot be decided*", "*all 60 answers were replayed*a fresh --llmval-store*"]
    )


def test_scores_of_the_serving(fast):
    """They are scores as any other: rate of readable answers, price, and time against the baseline's."""
    gates(
        fast,
        "assert_at_least(parsed(responses, lambda text: int(text.removeprefix('it is '))), 0.9)",
        "assert_at_most(latency(responses), 5.0)",
        "assert_at_least(parsed(responses, json.loads), 0.5)",
    )

    result = fast.run(versions=("served",))

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ModelRegression: parsed 0.000 (90% CI [[]0.000, 0.033], n=80), bar 0.500"])


def test_other_commands_bear_the_new_kinds(fast, process, monkeypatch):
    """`llmval compare` compares the scores and names the rest; `llmval aa` leaves them out."""
    process.take(slow=0.01)
    monkeypatch.delenv("LLMVAL_STORE", raising=False)
    monkeypatch.chdir(fast.path)
    gates(
        fast,
        "assert_latency(responses, p50=1); assert_at_least(exact_match(responses), 0.5)",
        "assert_throughput(responses, requests_per_second=1)",
    )
    fast.run(versions=("served",))
    fast.run(versions=("served",))
    first, second = (run.name for run in fast.runs)

    done = CliRunner().invoke(main, ["compare", first, second])

    assert done.exit_code == 0, done.output
    kept = "not compared, since its evidence is no score of the candidate by case: test_qa.py::test_"
    assert f"{kept}0 latency p50\n" in done.output
    assert f"{kept}1 requests_per_second\n" in done.output

    command = "from pytest_llmval.cli.main import main; main()"
    aa = [sys.executable, "-c", command, "aa", "-p", "no:cacheprovider", "--splits=20", "--model-version", "served"]
    checked = subprocess.run(aa, capture_output=True, text=True, check=False, cwd=fast.path)
    assert "no gate came to compare served with itself" in checked.stdout + checked.stderr
    assert "Traceback" not in checked.stdout + checked.stderr
