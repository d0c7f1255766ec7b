"""Which known bugs a comparison layer by layer names, and what comparisons of the final logits make of them.

The candidate runs another attention kernel than the control, so that it differs from it without a bug as well. Each
bug is put into models of several seeds, and has to be named exactly: its stage, and no other.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from random_models import Shape, in_dtype, random_llama, random_prompts

from pytest_llmval.scoring.mutation import Mutation
from pytest_llmval.scoring.tensors.layers import judging, outputs, walk
from pytest_llmval.scoring.tensors.layers.compare import compare_layers
from pytest_llmval.scoring.tensors.layers.layout import layout_of
from pytest_llmval.scoring.tensors.layers.prompts import batch_of
from pytest_llmval.scoring.tensors.magnitudes import cosine
from pytest_llmval.scoring.tensors.mutations.catalogue import known_bugs
from pytest_llmval.scoring.tensors.mutations.injection import changed_weight
from pytest_llmval.scoring.tensors.mutations.weights import scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.layers.finding import StageFinding
    from pytest_llmval.scoring.tensors.layers.judging import LayerLimits

SHAPE = Shape(layers=12, hidden=256, heads=4, vocabulary=512)
LENGTHS = (5, 9, 14, 20, 33, 40, 17, 60)
SEEDS = range(6)
MIN_COSINE = 0.99
WORKERS = 2
FAINTEST = "MLP output x 1.0001"
FAINT = {"norm epsilon 1e-4", FAINTEST}
"""Bugs below the roundings of bfloat16; looked for in float32 as well."""
Peaks = dict[str, tuple[float, float, str]]
"""Of each statistic: the value that came nearest to its limit, the limit, and where."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A bug in the model of one seed."""

    bug: str
    expected: tuple[str, ...]
    named: frozenset[str]
    """The culprits; a layer, where parts of it are named and the bug is the whole layer."""
    kl: float
    """Mean KL(reference ‖ candidate) of the next token, in nats."""
    control_kl: float
    cosine: float
    """Of all logits of candidate and reference."""
    agrees_in_top_five: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """All bugs in the model of one seed and precision."""

    outcomes: tuple[Outcome, ...]
    clean: Peaks
    """Of the model without a bug."""


def bugs_of_layers(model: Any, token: int, *, only_faint: bool) -> Iterator[Mutation]:
    """None, then the known bugs of single stages and layers, and one more that is as faint as a bug can be."""
    yield Mutation("no bug", (), lambda _: nullcontext())
    for bug in known_bugs(model, token=token):
        if all(bug.at) and (bug.name in FAINT or not only_faint):  # a bug of the loss is at no place in the network
            yield bug
    down = f"{layout_of(model, 'the model').layer(SHAPE.layers // 2)}.mlp.down_proj"
    yield Mutation(FAINTEST, (down,), changed_weight(down, scaled(1.0001)))


def trial(seed: int, dtype: torch.dtype, *, only_faint: bool) -> Trial:
    """The bugs one after the other, and first of all none."""
    prompts = random_prompts(seed, LENGTHS, SHAPE.vocabulary)
    reference = random_llama(seed, SHAPE, attention="eager")
    source = random_llama(seed, SHAPE, attention="sdpa")
    control = in_dtype(reference, dtype)
    none, *bugs = bugs_of_layers(source, prompts[0][0], only_faint=only_faint)
    with clean_peaks() as peaks:
        clean = outcome(none, source, reference, control, prompts)
    return Trial((clean, *(outcome(bug, source, reference, control, prompts) for bug in bugs)), peaks)


def outcome(bug: Mutation, source: Any, reference: Any, control: Any, prompts: list[list[int]]) -> Outcome:
    dtype = control.dtype
    with bug.inject(source) if bug.in_weights else nullcontext():
        candidate = in_dtype(source, dtype)
    with nullcontext() if bug.in_weights else bug.inject(candidate):
        report = compare_layers(candidate, reference, prompts, control=control)
        ours, theirs = (logits(model, prompts) for model in (candidate, reference))
    expected = tuple(map(layout_of(source, "the model").short, bug.at))
    return Outcome(
        bug=bug.name,
        expected=expected,
        named=frozenset(whole(each.name, expected) for each in report.culprits),
        kl=report.kl,
        control_kl=report.control_kl,
        cosine=cosine(torch.cat(ours).double().numpy(), torch.cat(theirs).double().numpy()),
        agrees_in_top_five=all(map(agree_in_top_five, ours, theirs)),
    )


def whole(name: str, expected: tuple[str, ...]) -> str:
    """The layer that a stage is in, if that layer as a whole is expected; else the stage."""
    layers = (each for each in expected if each.rpartition(".")[2].isdigit())
    return next((layer for layer in layers if name.startswith(f"{layer}.")), name)


def logits(model: Any, prompts: list[list[int]]) -> list[torch.Tensor]:
    """`[tokens, vocabulary]` of each prompt, all run as one batch."""
    batch = batch_of(prompts, None, None, SHAPE.vocabulary)
    with torch.no_grad():
        found = model(**batch.inputs("cpu"), use_cache=False).logits.float()
    return [row[start:] for row, start in zip(found, batch.starts(), strict=True)]


def agree_in_top_five(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Whether, where the greedy tokens first differ, each is among the other model's five most probable."""
    mine, others = ours.argmax(-1), theirs.argmax(-1)
    apart = (mine != others).nonzero()
    if not len(apart):
        return True
    at = int(apart[0])
    return bool(mine[at] in theirs[at].topk(5).indices and others[at] in ours[at].topk(5).indices)


@contextmanager
def clean_peaks() -> Iterator[Peaks]:
    """While this holds, the statistics of all stages and parts are noted: reports keep only what stands out."""
    peaks: Peaks = {}

    def judged(name: str, sums: Any, limits: LayerLimits, heads: int | None = None) -> StageFinding:
        found = judging.judged(name, sums, limits, heads)
        if found.signature is not None and not found.signature.is_none:
            note(peaks, found, limits)
        return found

    with patch.object(walk, "judged", judged), patch.object(outputs, "judged", judged):
        yield peaks


def note(peaks: Peaks, found: StageFinding, limits: LayerLimits) -> None:
    signature = found.signature
    assert signature is not None
    figures = {
        "ratio": (signature.ratio, limits.ratio),
        "gain_z": (abs(signature.gain_z), limits.gain_z),
        "gain_share": (signature.gain_share, limits.gain_share),
    }
    for axis in ("channel", "row", "position", "token"):
        peak = getattr(signature, axis)
        figures[f"peak of a {axis}"] = peak.height, limits.peak_for(peak)
    for name, (value, limit) in figures.items():
        keep_nearest(peaks, name, (value, limit, found.name))


def keep_nearest(peaks: Peaks, name: str, new: tuple[float, float, str]) -> None:
    old = peaks.get(name)
    if old is None or new[0] / new[1] > old[0] / old[1]:
        peaks[name] = new


def trials(dtype: torch.dtype, *, only_faint: bool) -> list[Trial]:
    """One for each seed, in processes of their own."""
    workers = ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,))
    with workers:
        running = [workers.submit(trial, seed, dtype, only_faint=only_faint) for seed in SEEDS]
        return [each.result() for each in running]


def print_table(found: list[Trial], dtype: torch.dtype) -> None:
    """One line a bug."""
    name = str(dtype).removeprefix("torch.")
    print(f"\nBugs in {name}: candidate with sdpa, control {name} with eager, reference float32 with eager; {SHAPE},")
    print(f"{len(LENGTHS)} prompts of {min(LENGTHS)} to {max(LENGTHS)} tokens, seeds {SEEDS[0]} to {SEEDS[-1]}\n")
    print(f"| bug | at fault | named exactly | named besides | KL | control's | cosine >= {MIN_COSINE} | top-5 |")
    print("|---|---|--:|---|--:|--:|---|---|")
    for outcomes in zip(*(each.outcomes for each in found), strict=True):
        print_row(outcomes)


def print_row(outcomes: tuple[Outcome, ...]) -> None:
    first, total = outcomes[0], len(outcomes)
    exact = sum(each.named == set(each.expected) for each in outcomes)
    besides = Counter(name for each in outcomes for name in sorted(each.named.difference(each.expected)))
    others = ", ".join(f"{name} ({count})" for name, count in besides.items()) or "-"
    print(f"| {first.bug} | {', '.join(first.expected) or '-'} | {exact} of {total} | {others} ", end="")
    print(f"| {statistics.median(each.kl for each in outcomes):.2e} ", end="")
    print(f"| {statistics.median(each.control_kl for each in outcomes):.2e} ", end="")
    print(f"| {passes([each.cosine >= MIN_COSINE for each in outcomes])} ", end="")
    print(f"| {passes([each.agrees_in_top_five for each in outcomes])} |")


def passes(answers: list[bool]) -> str:
    return {0: "FAIL", len(answers): "PASS"}.get(sum(answers), f"PASS {sum(answers)} of {len(answers)}")


def print_clean(found: list[Trial]) -> None:
    """What came nearest to a limit without a bug."""
    peaks: Peaks = {}
    for seed, each in zip(SEEDS, found, strict=True):
        for name, (value, limit, stage) in each.clean.items():
            keep_nearest(peaks, name, (value, limit, f"{stage}, seed {seed}"))
    print("\nNearest to its limit without a bug, of all stages and parts of layers on these seeds; the limits were")
    print("chosen on other seeds and shapes, see LayerLimits; a common factor has to pass both gain_z and gain_share:")
    for name, (value, limit, stage) in peaks.items():
        print(f"  {name}: {value:.3g} of {limit:.3g} ({stage})")


def print_bugs() -> None:
    """Find all bugs and print tables."""
    for dtype, only_faint in ((torch.bfloat16, False), (torch.float32, True)):
        found = trials(dtype, only_faint=only_faint)
        print_table(found, dtype)
        print_clean(found)


if __name__ == "__main__":
    print_bugs()
