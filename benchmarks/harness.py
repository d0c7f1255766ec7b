"""pytest-llmval beside lm-evaluation-harness in one run: same tiny model, same documents, CPU seconds and numbers.

Each way works through each workload in a process of its own, in turn: the harness through its Python API with sixteen
rows a batch, a pytest suite with one item a case, and bare loops that do no more than the requests need, which is the
limit. Whole processes are counted, and within them the calls that score; the model is loaded before those.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness_agreement import agreement
from harness_data import WORKLOADS, read_documents, write_documents, write_model
from harness_ways import BARE, HARNESS, OURS, Bench, Outcome, measure

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv" / "harness"
WAYS = (HARNESS, OURS, BARE)


@dataclass(frozen=True, slots=True)
class Aim:
    """How many times faster than the harness."""

    whole: float
    inference: float


AIMS = {
    "choice": Aim(2.5, 3.5),
    "letters": Aim(3.3, 5.0),
    "generation": Aim(1.5, 1.6),
    "rolling": Aim(1.8, 2.2),
}


def compare(workload: str, bench: Bench, rounds: int) -> list[str]:
    """Rows of the table for one workload."""
    found: dict[str, list[Outcome]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            found[way].append(measure(way, workload, bench))
    whole = {way: statistics.median(each.whole for each in found[way]) for way in WAYS}
    inference = {way: statistics.median(each.inference for each in found[way]) for way in WAYS}
    documents = read_documents(bench.folder, workload)
    last = {way: found[way][-1] for way in WAYS}
    return [
        f"| {workload}, {len(documents)} | {way} | {whole[way]:.1f} | {_ratio(whole, way)} "
        f"| {inference[way]:.2f} | {_ratio(inference, way)} | {agreement(last[way], last[HARNESS], documents)} |"
        for way in WAYS
    ] + [_verdict(workload, inference)]


def _ratio(seconds: dict[str, float], way: str) -> str:
    return f"{seconds[HARNESS] / seconds[way]:.2f}×"


def _verdict(workload: str, inference: dict[str, float]) -> str:
    """What was aimed at, and how near the limit we are."""
    aim, limit = AIMS[workload], inference[BARE] / inference[OURS]
    return f"| | *aim* | | {aim.whole:.2f}× | | {aim.inference:.2f}× | inference at {limit:.0%} of the limit's speed |"


def refuse_missing(python: Path) -> None:
    """Exit with the command that makes the harness's environment, when it is not there."""
    if not python.exists():
        sys.exit(f"{python}: no such file; lm-evaluation-harness has an environment of its own: make bench-harness")


def main() -> None:
    """Measure and print a table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--share", type=float, default=1.0, help="of the documents, for a shorter measurement")
    parser.add_argument("--block", type=int, default=32, help="cases that pytest-llmval answers together")
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where lm_eval is installed")
    options = parser.parse_args()
    python = options.environment / "bin" / "python"
    refuse_missing(python)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_documents(folder, options.share)
        write_model(folder / "model")
        for threads in options.threads:
            print(f"\nThreads: {threads}; CPU seconds, median of {options.rounds}\n")
            print("| workload, documents | way | whole | faster | inference | faster | against the harness |")
            print("|---|---|--:|--:|--:|--:|---|")
            for workload in options.only:
                bench = Bench(folder, python, threads, options.block)
                print(*compare(workload, bench, options.rounds), sep="\n", flush=True)


if __name__ == "__main__":
    main()
