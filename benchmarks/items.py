"""What an item costs when its answer is recorded: side by side with a parametrised item of plain pytest.

Both suites are run in processes of their own, in turn, several times over: once with one item, once with all. The
difference is what the items cost beyond start-up. CPU seconds are compared: on a shared machine wall time measures the
neighbours as well. The answers are recorded once, by the example model v1, a token each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from cpu_time import cpu_seconds

SUITES = Path(__file__).parent / "suites"
CONFIG = Path(__file__).parents[1] / "example_suites" / "llmval.toml"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--noconftest")
OPTIONS = ("-o", "addopts=")
PLAIN = "plain pytest: parametrised, two trivial fixtures"
RECORDED = "through the plugin: `case` and `response`, recorded"
JUNIT = "the same with --junitxml"


def ways(folder: Path, items: int) -> dict[str, list[str]]:
    """The command of each way; the answers to so many items are in a store of their own."""
    plugin = [
        *(*PYTEST, *OPTIONS, str(SUITES / "test_items_recorded.py")),
        *(f"--llmval-config={CONFIG}", "--model-version=v1"),
        *(f"--llmval-store={folder / f'store-{items}'}", f"--llmval-out={folder / 'out'}"),
    ]
    return {
        PLAIN: [*PYTEST, *OPTIONS, "-p", "no:llmval", str(SUITES / "test_items_plain.py")],
        RECORDED: plugin,
        JUNIT: [*plugin, f"--junitxml={folder / 'junit.xml'}"],
    }


def write_keywords(folder: Path, items: int) -> Path:
    """The data set: a keyword a case."""
    path = folder / f"keywords-{items}.jsonl"
    rows = ({"id": f"k{number}", "keyword": f"parcel {number}"} for number in range(items))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def measure(folder: Path, items: int, rounds: int) -> dict[str, float]:
    """Median CPU seconds of each way, once the answers are recorded."""
    keywords, commands = write_keywords(folder, items), ways(folder, items)
    cpu_seconds(commands[RECORDED], KEYWORDS=str(keywords))
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(cpu_seconds([*command, *OFFLINE[name]], KEYWORDS=str(keywords)))
    return {name: statistics.median(seconds) for name, seconds in found.items()}


OFFLINE = {PLAIN: (), RECORDED: ("--llmval-offline",), JUNIT: ("--llmval-offline",)}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start, whole = (measure(Path(folder), items, arguments.rounds) for items in (1, arguments.items))
    cost = {name: 1000 * (whole[name] - start[name]) / (arguments.items - 1) for name in whole}
    print(f"{arguments.items} items, all answers recorded, one thread, CPU time, median of {arguments.rounds}\n")
    print("| way | one item, s | all items, s | more than plain pytest, s | each further item, ms | ratio |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, seconds in whole.items():
        more, ratio = seconds - whole[PLAIN], cost[name] / cost[PLAIN]
        print(f"| {name} | {start[name]:.2f} | {seconds:.2f} | {more:.2f} | {cost[name]:.3f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
