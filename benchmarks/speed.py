"""How fast per-case tests are: side by side in one run, as ratios.

Each way answers the same questions in a process of its own, start-up included, in turn, several times over. CPU
seconds are compared: on a shared machine wall time measures the neighbours as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITES = Path(__file__).parent / "suites"
EXAMPLES = Path(__file__).parents[1] / "example_suites"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--noconftest")
PLUGIN = (*PYTEST, str(SUITES / "test_per_case.py"), "--llmval-config", str(EXAMPLES / "llmval.toml"))
WAYS = {
    "start-up alone (import torch and transformers)": (
        sys.executable,
        "-c",
        "import torch, transformers; transformers.AutoModelForCausalLM, transformers.AutoTokenizer",
    ),
    "bare batched loop, no tests": (sys.executable, str(SUITES / "bare_loop.py")),
    "one model.generate a test": (*PYTEST, str(SUITES / "test_one_generate.py")),
    "per-case tests through the plugin": (*PLUGIN, "--model-version=v1", "--llmval-store={store}/{round}"),
    "the same, answers already recorded": (*PLUGIN, "--model-version=v1", "--llmval-store={store}/{round}"),
}


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a process that must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603 - our own suites
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def measure(rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each way in each round."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as store:
        for number in range(rounds):
            for name, command in WAYS.items():
                found[name].append(cpu_seconds([part.format(store=store, round=number) for part in command]))
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    begun = time.monotonic()
    found = measure(parser.parse_args().rounds)
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    unit = medians["per-case tests through the plugin"]
    print("| 300 questions, model v1, one thread | CPU seconds, median | ratio to the plugin |")
    print("|---|--:|--:|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.1f} | {seconds / unit:.2f} |")
    start_up = medians["start-up alone (import torch and transformers)"]
    print("\nWithout start-up, ratio to the plugin:")
    for name in ("bare batched loop, no tests", "one model.generate a test"):
        print(f"- {name}: {(medians[name] - start_up) / (unit - start_up):.2f}")
    print(f"\n{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
