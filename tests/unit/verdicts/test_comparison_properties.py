"""What holds for every gate that compares two versions, whatever the scores."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.same_answers import decide_same_answers
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import Outcome

FAILED = Unscored("timed out", failed=True)
ORDER = (
    Outcome.INVALID,
    Outcome.REGRESSED,
    Outcome.INCONCLUSIVE,
    Outcome.WORSE_WITHIN_MARGIN,
    Outcome.EQUIVALENT,
    Outcome.IMPROVED,
)
GATES = {
    "no_regression": lambda candidate, baseline, size, **more: decide_regression(
        candidate, baseline, margin=size, **more
    ),
    "no_regression, relative": lambda candidate, baseline, size, **more: decide_regression(
        candidate, baseline, relative_margin=max(size, 0.01), **more
    ),
    "improved": lambda candidate, baseline, size, **more: decide_improvement(candidate, baseline, minimum=size, **more),
    "equivalent": lambda candidate, baseline, size, **more: decide_equivalence(
        candidate, baseline, margin=size, **more
    ),
    "equivalent, relative": lambda candidate, baseline, size, **more: decide_equivalence(
        candidate, baseline, relative_margin=max(size, 0.01), **more
    ),
}
KINDS = {
    "binary": {"kind": "binary"},
    "graded": {"kind": "graded"},
    "unbounded": {"kind": "unbounded", "bounds": None, "higher_is_better": False},
}

gates = pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
sizes = st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.2])


@dataclass(frozen=True)
class Comparison:
    """Two versions on the same cases: values ``[cases, trials]`` of each, with one trial a population."""

    kind: str
    candidate: np.ndarray
    baseline: np.ndarray
    clusters: tuple[str, ...] | None = None
    names: tuple[str, ...] = field(default=())

    @property
    def cases(self) -> int:
        """How many there are."""
        return len(self.baseline)

    @property
    def estimand(self) -> dict[str, str]:
        """The parameter that goes with the trials."""
        return {"estimand": "suite"} if self.candidate.shape[1] > 1 else {}

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Two overlapping slices."""
        return {name: ("odd",) * (place % 2) + ("third",) * (place % 3 == 0) for place, name in enumerate(self.names)}

    @property
    def sides(self) -> tuple[Scores, Scores]:
        """Candidate and baseline."""
        return self.scores(self.candidate), self.scores(self.baseline)

    def scores(self, table: np.ndarray, failed: tuple[int, ...] = ()) -> Scores:
        """Scores of one side, without an answer in some places."""
        rows = tuple(() if place in failed else tuple(row) for place, row in enumerate(table.tolist()))
        fields: dict[str, Any] = {"clusters": self.clusters, "trials": table.shape[1]} | KINDS[self.kind]
        fields |= {"by_trial": rows} if table.shape[1] > 1 else {}
        values = tuple(sum(row) / len(row) if row else FAILED for row in rows)
        return Scores("metric", ids=self.names, values=values, **fields)

    def at(self, places: list[int]) -> Comparison:
        """The cases at these places."""
        clusters = None if self.clusters is None else tuple(self.clusters[place] for place in places)
        names = tuple(self.names[place] for place in places)
        return replace(
            self, candidate=self.candidate[places], baseline=self.baseline[places], clusters=clusters, names=names
        )


def comparison(seed: int, kind: str, *, clustered: bool = False, trials: int = 1, least: int = 1) -> Comparison:
    """Versions that differ a little, or not, everywhere or on a few cases: close to where gates change their mind."""
    random = np.random.default_rng(seed)
    cases = int(random.integers(least, 60))
    quality = random.beta(4, 2, cases) if random.random() < 0.6 else random.choice([0.0, 0.25, 0.5, 1.0], cases)
    changed = random.random(cases) < random.choice([0.05, 0.3, 1.0])
    worse = np.clip(quality - changed * random.choice([-0.2, -0.05, 0, 0.05, 0.2, 0.6]), 0, 1)
    noise = random.choice([0.0, 0.02, 0.1])
    sides = [np.repeat(each[:, None], trials, axis=1) for each in (worse, quality)]
    if kind == "binary":
        shared = random.random((cases, trials)) if random.random() < 0.5 else None
        sides = [(random.random(side.shape) if shared is None else shared) < side for side in sides]
    else:
        sides = [np.clip(side + random.normal(0, noise, side.shape), 0, 1) for side in sides]
    clusters = tuple(f"g{number}" for number in random.integers(0, max(6, cases // 2), cases)) if clustered else None
    names = tuple(f"c{place}" for place in range(cases))
    return Comparison(kind, sides[0].astype(float), sides[1].astype(float), clusters, names)


def comparisons(least: int = 1, kinds: tuple[str, ...] = tuple(KINDS), **fixed: Any) -> st.SearchStrategy[Comparison]:
    """Of any kind, clustered or not, with trials or without."""
    shapes = [{"clustered": clustered, "trials": trials} for clustered in (False, True) for trials in (1, 2, 3)]
    shapes = [shape for shape in shapes if fixed.items() <= shape.items()]
    return st.builds(
        lambda seed, kind, shape: comparison(seed, kind, least=least, **shape),
        st.integers(0, 2**32),
        st.sampled_from(kinds),
        st.sampled_from(shapes),
    )


def rank(verdict: Any) -> int:
    """The better the higher."""
    return ORDER.index(verdict.outcome)


@gates
@given(drawn=comparisons(), size=sizes)
def test_the_interval_holds_the_difference_and_more(gate, drawn, size):
    """An interval contains its estimate and is never a point, not for one case and not for equal answers."""
    verdict = gate(*drawn.sides, size, **drawn.estimand)

    if verdict.outcome is Outcome.INVALID:
        assert (verdict.delta, verdict.low, verdict.high) == (None, None, None)
    else:
        assert verdict.low - 1e-12 <= verdict.delta <= verdict.high + 1e-12
        assert verdict.high > verdict.low


@gates
@given(drawn=comparisons(), size=sizes)
def test_swapping_the_sides_mirrors_difference_and_interval(gate, drawn, size):
    """Candidate for baseline: everything changes its sign."""
    candidate, baseline = drawn.sides

    forth, back = gate(candidate, baseline, size, **drawn.estimand), gate(baseline, candidate, size, **drawn.estimand)

    assert (forth.outcome is Outcome.INVALID) == (back.outcome is Outcome.INVALID)
    if forth.outcome is not Outcome.INVALID:
        assert (forth.delta, forth.low, forth.high) == pytest.approx((-back.delta, -back.high, -back.low), abs=1e-9)


@gates
@given(drawn=comparisons(), size=sizes, order=st.randoms(use_true_random=False))
def test_names_and_order_of_the_cases_do_not_matter(gate, drawn, size, order):
    """Other ids, other names of clusters, another order in the file: the same verdict, slices and p-values."""
    places = list(range(drawn.cases))
    order.shuffle(places)
    other = replace(
        drawn,
        names=tuple(f"case {name[::-1]}!" for name in drawn.names),
        clusters=None if drawn.clusters is None else tuple(f"text {name}" for name in drawn.clusters),
    )
    labels = dict(zip(other.names, drawn.labels.values(), strict=True))

    plain = gate(*drawn.sides, size, slices=drawn.labels, **drawn.estimand)
    moved = gate(*other.at(places).sides, size, slices=labels, **drawn.estimand)

    assert (moved.outcome, moved.method) == (plain.outcome, plain.method)
    assert numbers(moved) == pytest.approx(numbers(plain), rel=1e-6, abs=1e-9)


def numbers(verdict: Any) -> dict[str, float]:
    """All numbers of a verdict, but for its scores."""
    found = {name: getattr(verdict, name) for name in ("baseline", "candidate", "delta", "low", "high")}
    found |= {key: value for key, value in verdict.evidence.get("statistics", {}).items() if key != "method"}
    for each in verdict.slices:
        shown = {"delta": each.delta, "low": each.low, "high": each.high, "p": each.p_adjusted}
        found |= {f"{each.name} {name}": value for name, value in shown.items()}
    return {name: value for name, value in found.items() if value is not None}


@gates
@given(drawn=comparisons(clustered=True, trials=1, least=8), size=sizes, times=st.integers(2, 4))
def test_duplicating_cases_inside_their_cluster_does_not_raise_certainty(gate, drawn, size, times):
    """The same cases again, in the same clusters: the same interval, and no verdict that was not there."""
    more = drawn.at(list(range(drawn.cases)) * times)
    more = replace(more, names=tuple(f"{name}, copy {place}" for place, name in enumerate(more.names)))

    once, often = gate(*drawn.sides, size), gate(*more.sides, size)

    assert often.outcome is once.outcome
    if once.outcome is not Outcome.INVALID:
        assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)


@gates
@given(drawn=comparisons(kinds=("binary", "graded")), size=sizes)
def test_the_unit_of_a_metric_does_not_matter(gate, drawn, size):
    """Points from 0 to 100 and a margin of 5 are shares from 0 to 1 and a margin of .05; a share stays a share."""
    hundred = [
        replace(
            side,
            values=tuple(100 * value for value in side.values),
            bounds=(0.0, 100.0),
            by_trial=None if side.by_trial is None else tuple(tuple(100 * x for x in row) for row in side.by_trial),
        )
        for side in drawn.sides
    ]
    is_relative = gate in (GATES["no_regression, relative"], GATES["equivalent, relative"])

    shares = gate(*drawn.sides, size, **drawn.estimand)
    points = gate(*hundred, size if is_relative else 100 * size, **drawn.estimand)

    assert (points.outcome, points.method) == (shares.outcome, shares.method)
    if shares.low is not None:
        assert (points.low, points.high) == pytest.approx((100 * shares.low, 100 * shares.high), abs=1e-9)


@pytest.mark.parametrize("gate", [gate for name, gate in GATES.items() if name != "improved"])
@given(drawn=comparisons(), first=sizes, second=sizes)
def test_a_wider_margin_never_turns_a_pass_into_a_failure(gate, drawn, first, second):
    """Tolerating more can only help."""
    narrow, wide = (gate(*drawn.sides, size(first, second), **drawn.estimand) for size in (min, max))

    assert wide.passed or not narrow.passed


@given(drawn=comparisons(), first=sizes, second=sizes)
def test_a_larger_minimum_never_turns_a_failure_into_a_pass(drawn, first, second):
    """Asking for more can only hurt."""
    little, much = (
        decide_improvement(*drawn.sides, minimum=size(first, second), **drawn.estimand) for size in (min, max)
    )

    assert little.passed or not much.passed


@gates
@given(drawn=comparisons(), size=sizes, level=st.sampled_from([0.03, 0.01, 0.0001]))
def test_correction_only_makes_a_regression_inconclusive(gate, drawn, size, level):
    """A stricter level for calling it regressed touches nothing else."""
    alone = gate(*drawn.sides, size, **drawn.estimand)
    corrected = gate(*drawn.sides, size, alpha_adjusted=level, **drawn.estimand)

    expected = {alone.outcome} | ({Outcome.INCONCLUSIVE} if alone.outcome is Outcome.REGRESSED else set())
    assert corrected.outcome in expected
    assert (corrected.low, corrected.high) == (alone.low, alone.high)


@gates
@settings(max_examples=60)
@given(drawn=comparisons(least=20, kinds=("binary", "graded")), size=sizes, place=st.integers(0, 19))
def test_a_crash_in_place_of_an_answer_never_helps(gate, drawn, size, place):
    """Whatever the answer was: neither the difference nor the outcome is better without it."""
    candidate, baseline = drawn.sides
    crashed = drawn.scores(drawn.candidate, failed=(place,))

    before = gate(candidate, baseline, size, **drawn.estimand)
    after = gate(crashed, baseline, size, **drawn.estimand)

    assert rank(after) <= rank(before)
    assert after.delta is None or after.delta <= before.delta + 1e-12
    assert after.low is None or after.low <= before.low + 1e-12


@gates
@settings(max_examples=60)
@given(drawn=comparisons(least=21, kinds=("binary", "graded")), size=sizes)
def test_one_more_case_that_crashes_never_helps(gate, drawn, size):
    """A case that was not asked before, on which the baseline did well or not."""
    fewer = drawn.at(list(range(drawn.cases - 1)))
    crashed = drawn.scores(drawn.candidate, failed=(drawn.cases - 1,))

    before = gate(*fewer.sides, size, **drawn.estimand)
    after = gate(crashed, drawn.sides[1], size, **drawn.estimand)

    assert rank(after) <= rank(before)
    assert after.delta is None or after.delta <= before.delta + 1e-12


@settings(max_examples=200)
@given(drawn=comparisons(least=20, kinds=("binary", "graded")), bar=st.floats(0, 1), place=st.integers(0, 19))
def test_a_crash_never_helps_against_a_bar(drawn, bar, place):
    """The same for one version alone."""
    crashed = drawn.scores(drawn.candidate, failed=(place,))

    before = decide_at_least(drawn.sides[0], bar, **drawn.estimand)
    after = decide_at_least(crashed, bar, **drawn.estimand)

    assert rank(after) <= rank(before)
    assert after.candidate is None or after.candidate <= before.candidate + 1e-12
    assert after.low is None or after.low <= before.low + 1e-12


def test_a_value_far_above_all_others_does_not_help_by_crashing():
    """Forty values near .02 and one of 1: with it the mean is uncertain, without it it would be sure to exceed .015."""
    values = np.array([0.02 + 0.001 * (place % 10) for place in range(40)] + [1.0])[:, None]
    drawn = Comparison("graded", values, values, None, tuple(f"c{place}" for place in range(41)))

    before = decide_at_least(drawn.scores(values), 0.015)
    after = decide_at_least(drawn.scores(values, failed=(40,)), 0.015)

    assert decide_at_least(drawn.at(list(range(40))).sides[0], 0.015).passed
    assert (before.outcome, after.outcome) == (Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)


@given(
    answers=st.lists(st.sampled_from([0.0, 1.0]), min_size=20, max_size=80),
    place=st.integers(0, 19),
    share=st.sampled_from([0.0, 0.02, 0.2]),
)
def test_a_crash_never_helps_against_flips(answers, place, share):
    """No answer is a different answer."""
    ids = tuple(f"c{number}" for number in range(len(answers)))
    values = tuple(FAILED if number == place else value for number, value in enumerate(answers))
    score = partial(Scores, "same_answers", ids, kind="binary")
    baseline = score((1.0,) * len(ids))

    before = decide_same_answers(score(tuple(answers)), baseline, max_share=share)
    after = decide_same_answers(score(values), baseline, max_share=share)

    assert rank(after) <= rank(before)


@gates
@given(drawn=comparisons(), size=sizes, failed=st.sets(st.integers(0, 59), max_size=2))
def test_a_verdict_follows_from_its_evidence(gate, drawn, size, failed):
    """Through JSON and back, with trials, clusters, failures and slices: the same verdict."""
    candidate = drawn.scores(drawn.candidate, failed=tuple(failed))
    verdict = gate(candidate, drawn.sides[1], size, slices=drawn.labels, vary=["prompt"], **drawn.estimand)

    again = recompute(json.loads(json.dumps(verdict.evidence, allow_nan=False)))

    assert again == verdict


@gates
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("trials", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cases", [1, 2, 3, 5, 9, 19, 25])
def test_equal_answers_to_few_cases_show_nothing(gate, kind, trials, clustered, cases):
    """Neither a pass nor an alarm, for one case or 25, asked once or twice: a margin of .02 needs 133 (T53)."""
    values = np.repeat([[0.0], [1.0]] * cases, trials, axis=1)[:cases]
    same = Comparison(
        kind,
        values,
        values,
        tuple(f"g{place % 6}" for place in range(cases)) if clustered else None,
        tuple(f"c{place}" for place in range(cases)),
    )

    verdict = gate(*same.sides, 0.02, **same.estimand)

    too_few_clusters = clustered and trials == 1 and cases < 5
    assert verdict.outcome is (Outcome.INVALID if too_few_clusters else Outcome.INCONCLUSIVE)


@gates
@pytest.mark.parametrize("kind", KINDS)
def test_one_case_that_changed_decides_nothing(gate, kind):
    """From the best to the worst or the other way: a single case shows neither for others."""
    best, worst = np.ones((1, 1)), np.zeros((1, 1))

    for candidate, baseline in ((best, worst), (worst, best)):
        changed = Comparison(kind, candidate, baseline, None, ("c0",))
        assert gate(*changed.sides, 0.05).outcome is Outcome.INCONCLUSIVE


@gates
@pytest.mark.parametrize("sizes_of_clusters", [[1] * 9 + [60], [1, 1, 1, 1, 2, 2, 4, 8, 16, 32]])
def test_one_large_cluster_is_no_crowd(gate, sizes_of_clusters):
    """Nine tenths of the cases in one cluster: what they share may be shared by no other (CR1: 44 % alarms)."""
    random, alarms, rounds = np.random.default_rng(20261121), 0, 200
    groups = np.repeat(np.arange(len(sizes_of_clusters)), sizes_of_clusters)
    names, clusters = tuple(f"c{place}" for place in range(len(groups))), tuple(f"g{group}" for group in groups)

    for _ in range(rounds):
        shift = random.normal(0, 0.1, len(sizes_of_clusters))[groups] + random.normal(0, 0.05, len(groups))
        values = np.clip(0.5 + shift, 0, 1)[:, None]
        drawn = Comparison("graded", values, np.full_like(values, 0.5), clusters, names)
        alarms += gate(*drawn.sides, 0.0).outcome in (Outcome.REGRESSED, Outcome.IMPROVED)

    assert alarms / rounds <= 0.10 + 3 * (0.10 * 0.90 / rounds) ** 0.5
