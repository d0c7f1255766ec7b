"""Each way to work through a workload, run as a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpu_time import cpu_seconds

SUITES = Path(__file__).parent / "suites"
HARNESS = "lm-evaluation-harness"
OURS = "pytest-llmval, one item a case"
BARE = "bare loop, the limit"
SCRIPTS = {HARNESS: SUITES / "harness_lm_eval.py", BARE: SUITES / "harness_bare.py"}
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--noconftest")
OPTIONS = ("-o", f"pythonpath={SUITES}", "-o", "addopts=", "-p", "harness_clock", str(SUITES / "test_harness.py"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one process took and found."""

    whole: float
    """CPU seconds of the process."""
    inference: float
    """CPU seconds of the calls that score or generate, tokenising included."""
    found: dict[str, Any]
    """By document: the text, or the log-likelihoods of its options or of itself."""
    metrics: dict[str, float]
    """What the harness itself reports; empty for others."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all ways share."""

    folder: Path
    """Model and documents."""
    python: Path
    """The interpreter that has lm_eval."""
    threads: int
    block: int
    """Cases that pytest-llmval answers together."""


def measure(way: str, workload: str, bench: Bench) -> Outcome:
    """Run one way over one workload.

    Raises:
        RuntimeError: If its process fails; the text has the end of its output.
    """
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        if way == OURS:
            whole = _run_suite(workload, bench, out)
            found = _found_by_suite(workload, out)
        else:
            python = str(bench.python) if way == HARNESS else sys.executable
            arguments = [str(bench.folder), workload, str(bench.threads), str(out / "report.json")]
            whole = _seconds_of([python, str(SCRIPTS[way]), *arguments], bench.threads)
            found = {}
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    if not report["seconds"]:
        msg = f"{way}: no call of the engine was seen in its process; expected it to compute there"
        raise RuntimeError(msg)
    return Outcome(whole, report["seconds"], found or report["found"], report.get("metrics", {}))


def _seconds_of(command: list[str], threads: int, **variables: str) -> float:
    """CPU seconds of a way's process."""
    # The tokenizers' own threads would count as ours or theirs by chance.
    # On a shared machine a thread that spins for another one counts as work.
    fixed = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false"}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return cpu_seconds(command, **fixed, **offline, **variables)


def _run_suite(workload: str, bench: Bench, out: Path) -> float:
    config, model = out / "llmval.toml", json.dumps(str(bench.folder / "model"))
    config.write_text(f"block = {bench.block}\n[models.tiny]\nmodel = {model}\nthreads = {bench.threads}\n")
    named = {
        "folder": str(bench.folder),
        "workload": workload,
        "out": str(out / "report.json"),
        "found": str(out / "found"),
    }
    places = (f"--llmval-config={config}", f"--llmval-store={out / 'store'}", f"--llmval-out={out / 'reports'}")
    command = [sys.executable, *PYTEST, *OPTIONS, *places, "--model-version=tiny"]
    return _seconds_of(command, bench.threads, **{f"HARNESS_{name.upper()}": value for name, value in named.items()})


def _found_by_suite(workload: str, out: Path) -> dict[str, Any]:
    """What the run recorded; log-likelihoods of whole texts, which are not recorded, are written by the suite."""
    if workload == "rolling":
        return dict(json.loads((out / "found").read_text(encoding="utf-8")))
    segments = (out / "store").glob("runs/*/responses/*.jsonl")
    records = [json.loads(line) for path in segments for line in path.read_text(encoding="utf-8").splitlines()]
    return {record["case_id"]: _answer(record["response"]) for record in records}


def _answer(response: dict[str, Any]) -> Any:
    return response["choice"]["logprobs"] if response["choice"] else response["text"]
