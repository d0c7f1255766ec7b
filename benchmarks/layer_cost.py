"""What a comparison layer by layer costs, in plain forward passes of the same models on the same prompts.

The walk through the network takes five passes: one of the reference; of candidate and control each one on its own
input and one on the reference's. What it takes beyond them are the statistics. Pre-flight, which runs each model four
times on the two shortest prompts, stands apart: the more prompts, and the shorter two of them, the less it costs. CPU
seconds are compared, and plain passes run right before and after each walk: a shared machine changes its speed from
minute to minute.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from random_models import Shape, in_dtype, random_llama, random_prompts

from pytest_llmval.scoring.tensors.layers.judging import LayerLimits
from pytest_llmval.scoring.tensors.layers.preflight import preflight
from pytest_llmval.scoring.tensors.layers.prompts import batch_of
from pytest_llmval.scoring.tensors.layers.trio import trio_of
from pytest_llmval.scoring.tensors.layers.walk import walked

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.scoring.tensors.layers.prompts import Batch
    from pytest_llmval.scoring.tensors.layers.trio import Trio

LENGTHS = (96, 104, 88, 100, 92, 98, 90, 100)
SHALLOW, DEEP = Shape(12, 512, 8, 4096), Shape(48, 512, 8, 4096)


@dataclass(frozen=True, slots=True)
class Setup:
    """Models to compare; the reference is in float32, and without a fault in any of them."""

    shape: Shape
    dtype: torch.dtype
    """Of candidate and control."""
    has_control: bool
    """Whether a third model is given as the control; else the reference's weights are cast, a layer at a time."""

    def __str__(self) -> str:
        control = "third model as control" if self.has_control else "default control"
        return f"{self.shape.layers} layers, {str(self.dtype).removeprefix('torch.')}, {control}"


SETUPS = (
    Setup(SHALLOW, torch.float32, has_control=True),
    Setup(DEEP, torch.float32, has_control=True),
    Setup(SHALLOW, torch.bfloat16, has_control=False),
)


@dataclass(frozen=True, slots=True)
class Round:
    """CPU seconds of one walk, and of plain forward passes around it, with all logits."""

    reference: float
    candidate: float
    """Of the control as well, which has the same precision."""
    walk: float

    @property
    def five_passes(self) -> float:
        """What the walk would take if it did nothing but run the models."""
        return self.reference + 4 * self.candidate


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of a comparison."""

    preparing: float
    """Finding the stages of the models, and casting the control's ends."""
    preflight: float
    rounds: list[Round]


def measure(setup: Setup, rounds: int) -> Cost:
    """A comparison without a fault; what comes before the walk is timed once, and warms up."""
    reference = random_llama(0, setup.shape, attention="sdpa")
    candidate = in_dtype(reference, setup.dtype)
    control = in_dtype(reference, setup.dtype) if setup.has_control else None
    vocabulary = setup.shape.vocabulary
    batch = batch_of(random_prompts(0, LENGTHS, vocabulary), None, None, vocabulary)
    with torch.no_grad():
        preparing, trio = timed(lambda: trio_of(candidate, reference, control, batch, LayerLimits()))
        checks, problems = timed(lambda: preflight(trio))
        assert not problems
        return Cost(preparing, checks, [one_round(trio, candidate, reference) for _ in range(rounds)])


def one_round(trio: Trio, candidate: Any, reference: Any) -> Round:
    before = [plain_pass(model, trio.batch) for model in (reference, candidate)]
    walk, found = timed(lambda: walked(trio))
    after = [plain_pass(model, trio.batch) for model in (reference, candidate)]
    assert not any(stage.culprits for stage in found.stages)
    own, others = ((one + other) / 2 for one, other in zip(before, after, strict=True))
    return Round(own, others, walk)


def plain_pass(model: Any, batch: Batch) -> float:
    """CPU seconds of a forward pass as a user runs it."""
    return timed(lambda: model(**batch.inputs("cpu"), use_cache=False))[0]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what was made in them."""
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def print_cost(rounds: int) -> None:
    """Measure and print a table."""
    print(f"\nCost of a comparison without a fault: hidden {SHALLOW.hidden}, vocabulary {SHALLOW.vocabulary}, ", end="")
    print(f"{len(LENGTHS)} prompts of {min(LENGTHS)} to {max(LENGTHS)} tokens, reference in float32, one thread,")
    print(f"CPU time, median of {rounds}; a pass is a plain forward pass of the reference\n")
    print("| candidate and control | a pass, s | candidate's, passes | walk, passes ", end="")
    print("| walk over its five passes | pre-flight, passes | preparing, passes |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for setup in SETUPS:
        print_row(setup, measure(setup, rounds))


def print_row(setup: Setup, cost: Cost) -> None:
    own = median(cost, lambda each: each.reference)
    figures = (
        own,
        median(cost, lambda each: each.candidate / each.reference),
        median(cost, lambda each: each.walk / each.reference),
        median(cost, lambda each: each.walk / each.five_passes),
        cost.preflight / own,
        cost.preparing / own,
    )
    print(f"| {setup} | {' | '.join(f'{each:.2f}' for each in figures)} |", flush=True)


def median(cost: Cost, figure: Callable[[Round], float]) -> float:
    """Median of a figure; quotients are taken within a round."""
    return statistics.median(map(figure, cost.rounds))


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_cost(3)
