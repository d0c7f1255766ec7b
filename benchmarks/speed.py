"""How fast per-case tests are: side by side in one run, as ratios.

Each way answers the same questions in a process of its own, in turn, several times over: once one question, once all.
The difference is what the questions cost beyond start-up. CPU seconds are compared: on a shared machine wall time
measures the neighbours as well.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from cpu_time import cpu_seconds

SUITES = Path(__file__).parent / "suites"
CONFIG = Path(__file__).parents[1] / "example_suites" / "llmval.toml"
QUESTIONS = 840
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--noconftest")
OPTIONS = ("-o", f"pythonpath={SUITES}", "-o", "addopts=")
PLUGIN = (*PYTEST, *OPTIONS, str(SUITES / "test_per_case.py"), f"--llmval-config={CONFIG}", "--model-version=v1")
BARE = "bare batched loop, no tests"
ONE_BY_ONE = "one model.generate a test"
PER_CASE = "one test a case, through the plugin"
RECORDED = "the same, answers already recorded"
WAYS = {
    BARE: (sys.executable, str(SUITES / "bare_loop.py")),
    ONE_BY_ONE: (*PYTEST, *OPTIONS, str(SUITES / "test_one_generate.py")),
    PER_CASE: (*PLUGIN, "--llmval-store={store}"),
    RECORDED: (*PLUGIN, "--llmval-store={store}"),
}


def measure(questions: int, rounds: int) -> dict[str, float]:
    """Median CPU seconds of each way."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as store:
            for name, command in WAYS.items():
                found[name].append(
                    cpu_seconds([part.format(store=store) for part in command], QUESTIONS=str(questions))
                )
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    start, whole = measure(1, rounds), measure(QUESTIONS, rounds)
    cost = {name: 1000 * (whole[name] - start[name]) / (QUESTIONS - 1) for name in WAYS}
    print(f"{QUESTIONS} questions, model v1, one thread, CPU time, median of {rounds}\n")
    print("| way | start-up and one question, s | each further question, ms | ratio to the plugin |")
    print("|---|--:|--:|--:|")
    for name in WAYS:
        print(f"| {name} | {start[name]:.1f} | {cost[name]:.1f} | {cost[name] / cost[PER_CASE]:.2f} |")


if __name__ == "__main__":
    main()
