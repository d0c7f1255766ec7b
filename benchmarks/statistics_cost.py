"""What intervals and p-values cost: seconds and memory at sizes beyond any suite, scipy's own beside them.

CPU seconds are compared, the median of a few rounds: on a shared machine wall time measures the neighbours as well.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pytest_llmval.statistics import (
    bootstrap_interval,
    bootstrap_ratio_interval,
    clustered_interval,
    paired_t_interval,
    sign_flip_p,
    suite_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM = np.random.default_rng(0)
CASES, MANY = 10_000, 1_000_000
ALONGSIDE = 1000  # pairs at which scipy's permutation test ends within seconds
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call."""

    seconds: float
    megabytes: float
    """Peak of what it allocates beyond its arguments."""


def cost(call: Callable[[], Any], rounds: int) -> Cost:
    """Median CPU seconds, and peak memory of a call of its own, since tracing slows."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Cost(statistics.median(seconds), peak / MEGABYTE)


def calls() -> dict[str, Callable[[], Any]]:
    """What is measured, by its name in the table."""
    differences, waits = RANDOM.normal(0.01, 1, CASES).tolist(), RANDOM.lognormal(size=CASES).tolist()
    clusters, few = [place // 5 for place in range(CASES)], differences[:ALONGSIDE]
    many, many_clusters = RANDOM.normal(size=MANY).tolist(), RANDOM.integers(0, MANY // 5, MANY).tolist()
    trials = RANDOM.normal(size=(CASES, 10)).tolist()
    return {
        "sign_flip_p, 10 000 pairs, 9999 resamples": lambda: sign_flip_p(differences),
        "sign_flip_p, 2000 clusters of 5": lambda: sign_flip_p(differences, clusters=clusters),
        "bootstrap_interval, median of 10 000": lambda: bootstrap_interval(waits),
        "bootstrap_interval, median, 2000 clusters": lambda: bootstrap_interval(waits, clusters=clusters),
        "bootstrap_interval, mean of 10 000": lambda: bootstrap_interval(waits, "mean"),
        "bootstrap_ratio_interval, 10 000": lambda: bootstrap_ratio_interval(waits, waits[::-1]),
        "paired_t_interval, a million": lambda: paired_t_interval(many),
        "clustered_interval, a million": lambda: clustered_interval(many, many_clusters),
        "suite_interval, 10 000 by 10 trials": lambda: suite_interval(trials, trials[::-1]),
        "sign_flip_p, 1000 pairs": lambda: sign_flip_p(few),
        "scipy permutation_test, 1000 pairs": lambda: scipys_sign_flip(few),
        "bootstrap_interval, mean of 1000": lambda: bootstrap_interval(waits[:ALONGSIDE], "mean"),
        "scipy bootstrap, mean of 1000": lambda: scipys_bootstrap(waits[:ALONGSIDE]),
    }


def scipys_sign_flip(differences: list[float]) -> Any:
    """The same question to scipy, a hundred resamples at a time to bound its memory."""
    return stats.permutation_test(
        (np.array(differences), np.zeros(len(differences))),
        lambda ours, theirs, axis: np.mean(ours - theirs, axis=axis),
        permutation_type="samples",
        vectorized=True,
        batch=100,
        rng=np.random.default_rng(0),
    )


def scipys_bootstrap(values: list[float]) -> Any:
    """Percentiles of the mean, a hundred resamples at a time."""
    return stats.bootstrap((values,), np.mean, method="percentile", batch=100, rng=np.random.default_rng(0))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"9999 resamples, one thread, CPU time, median of {rounds}\n")
    print("| call | s | peak, MB |")
    print("|---|--:|--:|")
    for name, call in calls().items():
        found = cost(call, rounds)
        print(f"| {name} | {found.seconds:.3f} | {found.megabytes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
