"""How often each gate is wrong and how often it finds what is there, simulated with a known truth.

`gate_data.py` makes the answers and says why their true means are known; `gate_cells.py` says what is counted and what
the limits are. The true loss is 0, exactly the margin of 5 points, or 10 points (of a gain: 10 points); documents are
compared by weighted perplexity with a margin of 1 %, and a loss of twice as much.

Expected to fall short, as written down before the first run:

1. `equivalent` raises an alarm for a difference to either side, at 5 % a side: up to 10 % false alarms in all.
2. With skewed losses, t lets more than 5 % pass at the margin, the more the fewer cases; rare losses most of all.
3. `at_least` with few cases: Wilson's interval is off by the steps of a count, most with 20 cases and a bar of .8,
   where 13 passes or fewer, 8.7 %, are an alarm; t of skewed scores passes too often.
4. The relative margin with binary answers at 20 and 50 cases: what is left of a case depends on whether the baseline
   passed it, so that the guard against few changes takes every failed case for a changed one and lets too much pass.
5. Power, where fewer than 10 cases or 5 clusters change and the score bound widens both ends: up to 50 cases.

All came so but for the fourth, at 20 cases: the guard stepped in there as well, and cost power.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from gate_bars import Bar, ExactErrors, bar_cell, exact_errors
from gate_calls import Gate, Metric, first_difference
from gate_cells import Cell, cells_of
from gate_data import Shape, draw, draw_documents, draw_same_suite, draw_suite
from peeking import peek, print_peeking

from pytest_llmval.verdicts.equivalence import Equivalence, decide_equivalence
from pytest_llmval.verdicts.improvement import Superiority, decide_improvement
from pytest_llmval.verdicts.margin import Margin
from pytest_llmval.verdicts.perplexity import ONE_PERCENT, decide_perplexity
from pytest_llmval.verdicts.regression import NonInferiority, decide_regression
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gate_data import Floats, Sample

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.verdict import Verdict

    Decide = Callable[[Scores, Scores], Verdict]
    Draw = Callable[[int, int, float, np.random.Generator], Sample]

SEED = 20261121
MARGIN = 0.05
CASES = (20, 50, 100, 200, 500)
MANY = 200
"""From here on half of the runs are made."""
CHECKED = 4
"""Runs of each sample in which `decide_*` itself is asked."""
TRIALS = 4
RATES = (0.5, 0.8, 0.9, 0.95)
"""Bars that people set."""
USUAL = tuple(
    Shape(kind, is_clustered, trials)
    for kind in ("binary", "graded")
    for is_clustered in (False, True)
    for trials in (1, TRIALS)
)
RARE = (
    Shape("binary", is_rare=True),
    Shape("graded", is_rare=True),
    Shape("graded", trials=TRIALS, is_rare=True),
)
SINGLE = tuple(shape for shape in USUAL if shape.trials == 1 and not shape.is_clustered)
REPEATED = tuple(shape for shape in USUAL if shape.trials > 1 and not shape.is_clustered)


@dataclass(frozen=True, slots=True)
class Setting:
    """Gates that are asked about the same samples."""

    data: str
    gates: Mapping[Gate, Decide]
    metric: Metric
    draw: Draw
    margin: float = MARGIN


def settings() -> Iterator[Setting]:
    """All that compare two versions."""
    for shape in (*USUAL, *RARE):
        yield Setting(str(shape), paired_gates(shape), Metric(shape.kind, shape.is_clustered), partial(draw, shape))
    for shape in REPEATED:
        yield Setting(str(shape), suite_gates(), Metric(shape.kind), partial(draw_same_suite, shape))
    for is_clustered in (False, True):
        metric = Metric("unbounded", is_clustered, higher_is_better=False)
        documents = partial(draw_documents, is_clustered)
        yield Setting(f"documents{', clusters' * is_clustered}", document_gates(), metric, documents, ONE_PERCENT)


def paired_gates(shape: Shape) -> dict[Gate, Decide]:
    """Those that speak of cases like these, each with the function that users call."""
    share = MARGIN / shape.mean
    return {
        Gate("regression", NonInferiority(Margin(MARGIN))): partial(decide_regression, margin=MARGIN),
        Gate("regression, relative margin", NonInferiority(Margin(share, is_relative=True))): partial(
            decide_regression, relative_margin=share
        ),
        Gate("improvement", Superiority(0.0), wrong="nothing", holds="gain", broken=""): decide_improvement,
        Gate("equivalence", Equivalence(Margin(MARGIN))): partial(decide_equivalence, margin=MARGIN),
    }


def suite_gates() -> dict[Gate, Decide]:
    """The one that speaks of exactly these cases."""
    gate = Gate("regression, this suite", NonInferiority(Margin(MARGIN)), estimand="suite")
    return {gate: partial(decide_regression, margin=MARGIN, estimand="suite")}


def document_gates() -> dict[Gate, Decide]:
    """The one of weighted means."""
    return {Gate("perplexity", NonInferiority(Margin(ONE_PERCENT)), is_weighted=True): decide_perplexity}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A gate that calls a comparison invalid."""

    gate: str
    data: str
    cases: int
    reason: str


def results(runs: int) -> Iterator[Cell | Refusal]:
    """Of all gates."""
    for cases in CASES:
        count = runs_for(cases, runs)
        for setting in settings():
            yield from refusals(setting, cases) or compared_cells(setting, count, cases)
        for bar, shape in bars():
            yield bar_refusal(bar, shape, cases) or bar_cell(str(shape), bar, *answers(bar, shape, count, cases))


def runs_for(cases: int, runs: int) -> int:
    """Large suites take longer."""
    return runs // 2 if cases >= MANY else runs


def samples_of(setting: Setting, runs: int, cases: int) -> dict[str, Sample]:
    """By name."""
    random = np.random.default_rng([SEED, cases, *setting.data.encode()])
    losses = {"nothing": 0.0, "margin": setting.margin, "loss": 2 * setting.margin}
    samples = {name: setting.draw(runs, cases, loss, random) for name, loss in losses.items()}
    return samples | {"gain": samples["loss"].exchanged}


def refusals(setting: Setting, cases: int) -> list[Refusal]:
    """Of the gates that have too few clusters."""
    sides = setting.metric.sides(samples_of(setting, 1, cases)["nothing"], 0)
    asked = ((gate.name, decide(*sides)) for gate, decide in setting.gates.items())
    return [
        Refusal(name, setting.data, cases, verdict.reason)
        for name, verdict in asked
        if verdict.outcome is Outcome.INVALID
    ]


def compared_cells(setting: Setting, runs: int, cases: int) -> list[Cell]:
    """Of all gates of a setting, after a look at whether the shortcut says what the gates say."""
    samples = samples_of(setting, runs, cases)
    for gate, decide in setting.gates.items():
        for name in gate.samples:
            assert first_difference(gate, decide, setting.metric, samples[name], CHECKED) is None, (gate, name)
    return cells_of(setting.data, tuple(setting.gates), setting.metric, samples)


def bars() -> Iterator[tuple[Bar, Shape]]:
    """All gates that hold one version against a bar, and what they are asked about."""
    for shape in USUAL:
        yield Bar(Metric(shape.kind, shape.is_clustered)), shape
    for shape in SINGLE:
        yield Bar(Metric(shape.kind, higher_is_better=False)), shape
    for shape in REPEATED:
        yield Bar(Metric(shape.kind), "suite"), shape


def bar_refusal(bar: Bar, shape: Shape, cases: int) -> Refusal | None:
    """When there are too few clusters."""
    (verdict,) = bar.verdicts(*answers(bar, shape, 1, cases))
    return Refusal(bar.gate.name, str(shape), cases, verdict.reason) if verdict.outcome is Outcome.INVALID else None


def answers(bar: Bar, shape: Shape, runs: int, cases: int) -> tuple[Floats, Floats]:
    """Of one version, and their true means."""
    random = np.random.default_rng([SEED, cases, *str(shape).encode()])
    if bar.estimand == "suite":
        return draw_suite(shape, runs, cases, random)
    return draw(shape, runs, cases, 0.0, random).baseline, np.full(runs, shape.mean)


def exact_results() -> Iterator[ExactErrors]:
    """Of binary answers, without simulation."""
    for higher_is_better in (True, False):
        bar = Bar(Metric("binary", higher_is_better=higher_is_better))
        yield from (exact_errors(bar, rate, cases) for rate in RATES for cases in CASES)


COLUMNS = 18
HEADER = """
| {gate} | cases | false alarms | t | z | naive | false passes | t | z | naive | coverage | at margin \
| alarm at a loss | t | equal t | z | passes | t | equal t | z |"""


def print_results(found: list[Cell | Refusal]) -> None:
    """One table a gate."""
    for gate in dict.fromkeys(each.gate for each in found):
        print(HEADER.format(gate=gate))
        print("|---|" + "--:|" * (1 + COLUMNS))
        for each in sorted((each for each in found if each.gate == gate), key=lambda each: each.data):
            figures = refusal_figures(each) if isinstance(each, Refusal) else cell_figures(each)
            print(f"| {each.data} | {each.cases} | {' | '.join(figures)} |", flush=True)


def refusal_figures(refusal: Refusal) -> list[str]:
    return [f"invalid: {refusal.reason}", *[""] * (COLUMNS - 1)]


def cell_figures(cell: Cell) -> list[str]:
    """In %; `!` marks a figure that falls short."""
    own = {name: share(value, is_short=name in cell.short) for name, value in asdict(cell.shipped).items()}
    others, powers = (cell.student, cell.unpaired, cell.naive), (cell.student, cell.rival, cell.unpaired)
    return [
        own["false_alarms"],
        *(share(each.false_alarms) for each in others),
        own["false_passes"],
        *(share(each.false_passes) for each in others),
        own["coverage"],
        own["coverage_at_margin"],
        own["alarms"],
        *(share(each.alarms) for each in powers),
        own["passes"],
        *(share(each.passes) for each in powers),
    ]


def print_exact(found: list[ExactErrors]) -> None:
    """One row a gate and bar."""
    print("\nBinary answers with a true rate of exactly the bar (at_most: of its mirror image), by adding up binomial")
    print("chances: false alarms and false passes in %; 5.5 % or more falls short\n")
    print(f"| gate | bar | {' | '.join(f'{cases} cases' for cases in CASES)} |")
    print("|---|--:|" + "--:|" * len(CASES))
    for gate, bar in dict.fromkeys((each.gate, each.bar) for each in found):
        row = [each for each in found if (each.gate, each.bar) == (gate, bar)]
        errors = [
            f"{100 * each.false_alarms:.1f} {100 * each.false_passes:.1f}{'!' * each.is_wrong_too_often}"
            for each in row
        ]
        print(f"| {gate} | {bar} | {' | '.join(errors)} |", flush=True)


def share(value: float, *, is_short: bool = False) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}{'!' * is_short}"


def print_misses(cells: list[Cell]) -> int:
    """How many figures fall short, by gate; their number."""
    print()
    misses = Counter((cell.gate, name) for cell in cells for name in cell.short)
    for (gate, name), count in sorted(misses.items()):
        sizes = sorted({cell.cases for cell in cells if cell.gate == gate and name in cell.short})
        print(f"{gate}: {name.replace('_', ' ')}, {count} (with {', '.join(map(str, sizes))} cases)")
    return misses.total()


def main() -> None:
    """Simulate and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help=f"of each suite; half of them from {MANY} cases on")
    runs, start = parser.parse_args().runs, time.process_time()
    found, exact, peeked = list(results(runs)), list(exact_results()), peek(runs)
    print(
        f"Gates, {runs} runs each, {runs_for(MANY, runs)} from {MANY} cases on, seed {SEED}; shares of the runs in %."
    )
    print(
        "Beside the gate the paired t, the unpaired z and the naive gate; t equal: the paired t that errs as often as"
    )
    print("the gate. An exclamation mark: falls short.")
    print_results(found)
    print_exact(exact)
    print_peeking(peeked)
    short = print_misses([each for each in found if isinstance(each, Cell)])
    short += sum(each.is_wrong_too_often for each in (*exact, *peeked))
    print(f"{short} figures fall short; {time.process_time() - start:.0f} s of CPU time")


if __name__ == "__main__":
    main()
