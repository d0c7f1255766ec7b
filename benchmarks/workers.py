"""One engine for all workers: wall time, CPU time and memory of the same suite serially and distributed.

Each way runs in a process of its own, in turn, several times over. Memory is that of all processes of the run together,
each shared page counted once (PSS), looked at ten times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SUITES = Path(__file__).parents[1] / "example_suites"
TESTS = ("test_quiz.py", "test_faq.py", "test_extraction.py")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
VERSIONS = (f"--llmval-config={SUITES / 'llmval.toml'}", "--model-version=v2", "--baseline-version=v1")
LOOKS_EVERY = 0.1
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of all its processes."""
    memory: int
    """Most bytes of all its processes at one time."""
    processes: int
    """Processes in which torch was loaded."""


def measure(workers: int) -> Cost:
    """Run the suites serially (0 workers) or over workers, nothing recorded yet."""
    with tempfile.TemporaryDirectory() as folder:
        places = (f"--llmval-store={folder}/store", f"--llmval-out={folder}/out")
        command = [*PYTEST, *map(str, map(SUITES.joinpath, TESTS)), *VERSIONS, *places, "-n", str(workers)]
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        memory, torches = _watch(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, memory, torches)


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Most memory of a process and its descendants, and most of them with torch, until it ends."""
    memory = torches = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        members = _descendants(process.pid)
        memory = max(memory, sum(map(_memory_of, members)))
        torches = max(torches, sum(map(_has_torch, members)))
        time.sleep(LOOKS_EVERY)
    return memory, torches


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _memory_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def _has_torch(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    return False


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 4])
    options = parser.parse_args()
    found: dict[int, list[Cost]] = {workers: [] for workers in options.workers}
    for _ in range(options.rounds):
        for workers in options.workers:
            found[workers].append(measure(workers))
    print(f"{len(TESTS)} example suites, two models, {os.cpu_count()} cores, median of {options.rounds}\n")
    print("| workers | wall, s | CPU, s | memory, MiB | processes with torch |")
    print("|---|--:|--:|--:|--:|")
    for workers, costs in found.items():
        wall, cpu = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu"))
        memory = statistics.median(cost.memory for cost in costs) / MIB
        print(f"| {workers or 'none'} | {wall:.1f} | {cpu:.1f} | {memory:.0f} | {max(c.processes for c in costs)} |")


if __name__ == "__main__":
    main()
