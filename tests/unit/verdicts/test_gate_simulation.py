"""The simulation of `make bench-gates`, short: what its data are, and whether the gates keep their limits."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RUNS = 200

# What falls short at full length too, all of it power; `make bench-gates` prints all of it.
CAUTIOUS = {  # the score bound steps in while few cases or clusters change, and widens the end that is sure as well
    (gate, data, "passes")
    for gate in ("regression", "regression, relative margin", "equivalence")
    for data in ("binary", "binary, clusters", "binary, clusters, trials", "binary, trials")
} | {  # Hall's correction widens one end, whichever it is, and more so for few clusters
    (gate, data, "passes")
    for gate in ("equivalence", "at_least")
    for data in ("graded, clusters", "graded, clusters, trials")
}


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def gates():
    """The benchmark's modules are scripts in a folder, no package."""
    return importlib.import_module("gates")


@pytest.fixture(scope="module")
def data():
    return importlib.import_module("gate_data")


def correlation(values):
    """Of two cases of a cluster, from values ``[runs, cases]``; clusters are of five."""
    clusters = (values - values.mean()).reshape(-1, 5)
    return ((clusters.sum(axis=1) ** 2).mean() / (clusters**2).mean() / 5 - 1) / 4


@pytest.mark.parametrize("trials", [1, 4])
@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_true_difference_and_correlation_are_as_computed(data, kind, trials):
    """The mean of 200,000 cases lies within four standard errors; clusters multiply the variance by 1 + 4·.3 = 2.2."""
    shape, random = data.Shape(kind, is_clustered=True, trials=trials), np.random.default_rng(0)

    same, worse = (data.draw(shape, 400, 500, loss, random) for loss in (0.0, 0.05))

    for sample in (same, worse):
        changes = (sample.candidate - sample.baseline).mean(axis=2)
        error = (2.2 * changes.var() / changes.size) ** 0.5
        assert changes.mean() == pytest.approx(sample.difference, abs=4 * error)
    values = same.baseline.mean(axis=2)
    assert values.mean() == pytest.approx(0.782, abs=4 * (2.2 * values.var() / values.size) ** 0.5)
    assert correlation((same.candidate - same.baseline).mean(axis=2)) == pytest.approx(0.3, abs=0.03)
    assert correlation(values) == pytest.approx(0.3, abs=0.06)
    assert kind == "graded" or trials > 1 or 0.06 < (same.candidate != same.baseline).mean() < 0.13


def test_a_suite_loses_exactly_what_is_asked(data):
    """Over the very cases of a run, of 2,000 trials a case: four standard errors of the mean over all runs."""
    sample = data.draw_same_suite(data.Shape("binary", trials=2000), 20, 30, 0.05, np.random.default_rng(0))

    changes = (sample.candidate - sample.baseline).mean(axis=(1, 2))

    assert changes == pytest.approx(-0.05, abs=4 * (0.25 * 2 / (30 * 2000)) ** 0.5)


def test_documents_lose_what_is_asked_by_any_weights(data):
    """The change is drawn apart from the length."""
    sample = data.draw_documents(is_clustered=True, runs=400, cases=500, loss=0.02, random=np.random.default_rng(0))

    changes = (sample.candidate - sample.baseline)[..., 0]
    mean = (changes * sample.weights).sum() / sample.weights.sum()

    assert sample.difference == -0.02
    assert mean == pytest.approx(0.02, abs=0.001)
    assert changes.std() == pytest.approx(data.DOCUMENT_SPREAD, rel=0.02)


def test_the_short_way_says_what_the_gates_say(gates):
    """Ten runs of each kind of data at 50 cases, of each gate at every true difference."""
    calls = importlib.import_module("gate_calls")

    for setting in gates.settings():
        samples = gates.samples_of(setting, 10, 50)
        for gate, decide in setting.gates.items():
            for name in gate.samples:
                assert calls.first_difference(gate, decide, setting.metric, samples[name], 10) is None, (gate, name)


def test_four_clusters_are_refused(gates):
    """At 20 cases there are four clusters of five, and no gate says anything."""
    clustered = [setting for setting in gates.settings() if setting.metric.is_clustered]
    bars = [(bar, shape) for bar, shape in gates.bars() if bar.metric.is_clustered]

    reasons = [each.reason for setting in clustered for each in gates.refusals(setting, 20)]
    reasons += [gates.bar_refusal(bar, shape, 20).reason for bar, shape in bars]

    assert len(reasons) == sum(len(setting.gates) for setting in clustered) + len(bars)
    assert set(reasons) == {"4 clusters; an interval needs at least 5"}


@pytest.mark.parametrize("cases", [50, 100])
def test_gates_keep_their_limits(gates, cases):
    """All but rare losses: errors and coverage of each gate, and its power beside the paired t."""
    cells = [
        cell for setting in gates.settings() if "rare" not in setting.data for cell in paired(gates, setting, cases)
    ]
    cells += [gates.bar_cell(str(shape), bar, *gates.answers(bar, shape, RUNS, cases)) for bar, shape in gates.bars()]

    short = {(cell.gate, cell.data, name) for cell in cells for name in cell.short}
    assert len(cells) == 8 * 4 + 2 + 2 + 8 + 2 + 2
    assert sorted(short - CAUTIOUS) == []


@pytest.mark.parametrize("looks", ["trials", "e_process_binary", "e_process_bounded"])
def test_looking_after_every_trial_keeps_the_error(looks):
    """At the bar neither finding is wrong in more than 5 %; the test for one look, looked at as often, is."""
    peeking = importlib.import_module("peeking")
    peek = {
        "trials": lambda: peeking.peek_at_trials(0.9, 100, RUNS),
        "e_process_binary": lambda: peeking.peek_at_e_process(0.8, RUNS),
        "e_process_bounded": lambda: peeking.peek_at_grades(RUNS),
    }[looks]

    row = peek()

    assert not row.is_wrong_too_often, row
    assert max(row.naive.below, row.naive.above) > 0.12


def test_errors_at_a_bar_of_one_half_are_alike_to_both_sides(gates):
    """By symmetry: as many passes below a half as failures below a half."""
    bar = gates.Bar(gates.Metric("binary"))

    errors = gates.exact_errors(bar, 0.5, 50)

    assert 0 < errors.false_alarms == pytest.approx(errors.false_passes)


def test_power_at_equal_size_takes_a_part_of_the_ties():
    """A quarter of the null lies below 2 and half of it at 2: size 1/2 takes half of the ties, so 1/4 + 1/2·1/2."""
    power_at = importlib.import_module("gate_cells").power_at

    power = power_at(0.5, np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 2.0, 2.0, 9.0]))

    assert power == 0.5


def paired(gates, setting, cases):
    return gates.cells_of(setting.data, tuple(setting.gates), setting.metric, gates.samples_of(setting, RUNS, cases))
