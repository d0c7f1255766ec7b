"""Layer by layer: which bugs are named, what it costs in time, and what in memory."""

from __future__ import annotations

import argparse

import torch
from layer_bugs import print_bugs
from layer_cost import print_cost
from layer_memory import print_memory


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print_cost(rounds)
    print_memory()
    print_bugs()


if __name__ == "__main__":
    main()
