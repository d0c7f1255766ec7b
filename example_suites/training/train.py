"""Trains the versions: `python example_suites/training/train.py --out DIR`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from checkpoint import silence_progress_bars
from versions import BUILDERS, V1_STEPS


def main(arguments: list[str] | None = None) -> None:
    """Builds the chosen versions below the folder given."""
    options = parse_options(arguments)
    _make_repeatable(options.threads)
    for name in options.only.split(","):
        start = time.monotonic()
        BUILDERS[name](options.out, options.steps, options.seed)
        sys.stdout.write(f"{name}: {time.monotonic() - start:.1f} s\n")


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder per version")
    parser.add_argument("--steps", type=int, default=V1_STEPS, help="training steps of v1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="other numbers give other weights")
    parser.add_argument("--only", default=",".join(BUILDERS), help="versions, such as v1,v2; all but v1 need v1")
    return parser.parse_args(arguments)


def _make_repeatable(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    silence_progress_bars()


if __name__ == "__main__":
    main()
