"""The A/A check: false alarms, noise and detectable loss of a gate, against numbers known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.self_check import self_check
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import Outcome

SEED = 20261121


def by_trial(build, table, **fields):
    """Scores of cases [cases, trials]."""
    rows = tuple(map(tuple, np.asarray(table, dtype=float).tolist()))
    values = tuple(sum(row) / len(row) for row in rows)
    return build(values, trials=len(rows[0]), by_trial=rows, **fields)


def check(scores, decide=decide_regression, splits=60, **parameters):
    """The A/A check of a gate that compared these scores with themselves."""
    return self_check(decide(scores, scores, **parameters).evidence, splits=splits, seed=SEED)


def test_the_false_alarms_of_twenty_coin_flips(binary):
    """20 cases, right in one of two trials: as many are lost as heads fall in 20 throws of a coin.

    With no margin it is regressed when (2·lost − 20)/√20 > 1.645, from 14 lost on: P(heads ≥ 14) = 0.0577. The
    difference is a mean of 20 values of ±1, so its standard deviation is 1/√20.
    """
    found = check(by_trial(binary, [[1, 0]] * 20), splits=800, margin=0.0)

    known = binom.sf(13, 20, 0.5)
    assert known == pytest.approx(0.0577, abs=5e-5)
    assert found.alarms / 800 == pytest.approx(known, abs=3 * (known * (1 - known) / 800) ** 0.5), f"seed {SEED}"
    assert found.noise == pytest.approx(20**-0.5, abs=3 * (2 * 20 * 800) ** -0.5), f"seed {SEED}"
    assert (found.cases, found.a_side, found.splits, found.speaks) == (20, 1, 800, Outcome.REGRESSED)
    assert not found.is_wrong


@pytest.mark.parametrize(("alpha", "cries"), [(0.01, False), (0.2, True)])
def test_the_false_alarms_are_those_of_the_level(graded, alpha, cries):
    """With no margin a gate at level α calls α of the splits regressed; above 5 % it cries wolf."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (60, 8)), 0, 1))

    found = check(scores, splits=400, margin=0.0, alpha=alpha, alpha_adjusted=alpha)

    assert found.alarm_interval.low <= alpha <= found.alarm_interval.high, f"seed {SEED}"
    assert found.cries_wolf is cries
    assert found.is_wrong is cries
    assert "shown worse" in found.alarm_reason


def test_a_gate_is_checked_at_its_own_corrected_level(graded):
    """What it takes to call a version regressed is read from the evidence: a stricter level alarms less often."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (40, 4)), 0, 1))

    alone, corrected = (check(scores, splits=300, margin=0.0, alpha_adjusted=alpha) for alpha in (0.05, 0.002))

    assert corrected.alarms < alone.alarms
    assert corrected.inconclusive > alone.inconclusive


@pytest.mark.parametrize(("margin", "passes"), [(0.0, False), (0.2, True)])
def test_a_gate_that_seldom_passes_what_did_not_change(graded, margin, passes):
    """With no margin a difference of 0 is never shown small enough; 0.2 is 12 times the noise, 0.1/√40."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (40, 4)), 0, 1))

    found = check(scores, splits=200, margin=margin)

    assert not found.is_wrong
    assert found.seldom_passes is not passes
    assert found.is_sound is passes


def test_greedy_repeats_do_not_vary(binary):
    """Nothing is measured: no alarm, no noise, and that is said."""
    found = check(by_trial(binary, [[1] * 4] * 40 + [[0] * 4] * 10))

    assert not found.varies
    assert (found.alarms, found.noise, found.a_side) == (0, 0.0, 2)
    assert found.effect is not None


def test_one_value_a_case(binary):
    """There is nothing to deal, so there is no noise floor; what it detects is known all the same."""
    found = check(binary([1.0] * 100))

    assert (found.a_side, found.noise, found.varies) == (0, None, False)
    assert found.effect is not None


@pytest.mark.parametrize(("level", "lost"), [(0.05, 3), (0.01, 6)])
def test_the_smallest_loss_of_a_binary_gate(binary, level, lost):
    """Of 100 cases that pass, x are broken: regressed when x/√x > z, hence x > 2.71 or, at 1 %, 5.41."""
    found = check(binary([1.0] * 100), alpha_adjusted=level)

    assert found.effect.cases == lost
    assert found.effect.change == pytest.approx(-lost / 100)


def test_broken_cases_that_were_wrong_before_do_not_count(binary):
    """One case in two is wrong already: twice as many have to be broken for about the same loss."""
    found = check(binary([1.0, 0.0] * 100))

    assert found.effect.cases > 6
    assert found.effect.change > -0.05


def test_a_metric_where_lower_is_better_breaks_upwards(graded):
    """The worst value is then the upper bound."""
    found = check(graded([0.0] * 60, higher_is_better=False))

    assert -0.2 < found.effect.change < 0
    assert check(graded([1.0] * 60, higher_is_better=False)).silence == "every score is at the worst value already"


@pytest.mark.parametrize("higher", [True, False])
def test_an_unbounded_metric_is_shifted(nats, higher):
    """The shift that is found is called regressed, and one a tenth smaller is not."""
    random = np.random.default_rng(SEED)
    scores = nats(random.normal(2, 0.5, 40).tolist(), higher_is_better=higher)

    found = check(scores, margin=0.01)

    def outcome(loss):
        shifted = tuple(value + (-loss if higher else loss) for value in scores.values)
        return decide_regression(replace(scores, values=shifted), scores, margin=0.01).outcome

    assert found.effect.cases is None
    assert outcome(-found.effect.change) is Outcome.REGRESSED
    assert outcome(-found.effect.change * 0.9) is not Outcome.REGRESSED


@pytest.mark.parametrize(
    ("scores", "reason", "parameters"),
    [
        ({"values": [1.0] * 2}, "about 10 cases would show a regression", {"alpha_adjusted": 0.001}),
        ({"values": [0.0] * 50}, "every score is at the worst value already", {}),
        ({"values": [0.9] * 50}, "shown worse, but within the margin of 99 pp", {"margin": 0.99}),
        ({"values": [1.0] * 50, "clusters": ("a", "b") * 25}, "2 clusters; an interval needs at least 5", {}),
        ({"values": [1.0] * 9 + [Unscored("no grade")]}, "10.0% of the cases are lost, more than 5%", {}),
        ({"values": [Unscored("no grade")] * 3}, "no case has a score on both sides", {}),
    ],
)
def test_gates_that_cannot_fire(graded, scores, reason, parameters):
    """Each with the reason of its own verdict."""
    found = check(graded(**scores), **parameters)

    assert reason in found.silence
    assert found.effect is None
    assert found.is_wrong
    assert not found.is_sound


def test_a_gate_that_fires_by_luck_only(binary):
    """Six coin flips, all broken: three of them must have been right (√3 > 1.645), which 42 of 64 throws give."""
    found = check(by_trial(binary, [[1, 0]] * 6))

    # 50 runs: three standard errors are 0.2.
    assert found.reach == pytest.approx(42 / 64, abs=0.2), f"seed {SEED}"
    assert found.silence
    assert found.is_valid


@pytest.mark.parametrize("cases", [5, 12, 19])
def test_few_cases_are_no_reason_not_to_fire(binary, cases):
    """Below 20 cases a gate still fires when enough of them break, and never on nothing at all."""
    found = check(binary([1.0] * cases))

    assert 3 <= found.effect.cases <= cases
    assert found.alarms == 0


def test_a_gate_of_improvement_must_not_see_any(graded):
    """Its false alarm is a pass, about 5 % by its level; what it has to notice are cases at the best value."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (60, 8)), 0, 1))

    found = check(scores, decide_improvement, splits=400)

    assert found.speaks is Outcome.IMPROVED
    assert found.alarm_interval.low <= 0.05 <= found.alarm_interval.high, f"seed {SEED}"
    assert found.effect.change > 0
    assert found.inconclusive > 200
    assert not found.seldom_passes
    assert check(graded([1.0] * 30), decide_improvement).silence == "every score is at the best value already"


def test_a_gate_of_equivalence(graded):
    """It speaks when versions differ to either side."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (60, 8)), 0, 1))

    found = check(scores, decide_equivalence, splits=200, margin=0.0)

    # Two-sided: 2.5 % to either side.
    assert found.alarm_interval.low <= 0.05 <= found.alarm_interval.high, f"seed {SEED}"
    assert found.effect.change < 0


def test_exactly_these_cases(graded):
    """The estimand `suite` judges by the trials of each side, and its alarms keep to the level."""
    random = np.random.default_rng(SEED)
    scores = by_trial(graded, np.clip(random.normal(0.5, 0.1, (30, 8)), 0, 1))

    found = check(scores, splits=300, margin=0.0, estimand="suite")

    assert found.is_valid
    assert found.alarm_interval.low <= 0.05 <= found.alarm_interval.high, f"seed {SEED}"
    assert found.effect is not None


def test_two_trials_are_too_few_to_judge_exactly_these_cases(graded):
    """One trial a side shows no noise: the gate is invalid, and says so."""
    found = check(by_trial(graded, [[1.0, 0.5]] * 30), estimand="suite")

    assert not found.is_valid
    assert "each was asked once" in found.silence


def test_slices_do_not_matter(binary):
    """They decide nothing, and the check leaves them out: not even the reason of an alarm speaks of them."""
    scores = by_trial(binary, [[1, 0]] * 40)
    labels = dict.fromkeys(scores.ids, ("all",))

    assert check(scores, margin=0.0, slices=labels) == check(scores, margin=0.0)


def test_a_seed_decides_everything(graded):
    """The same evidence and seed give the same check."""
    scores = by_trial(graded, np.random.default_rng(SEED).random((30, 4)))
    evidence = decide_regression(scores, scores).evidence

    first, again, other = (self_check(evidence, splits=80, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first.noise != other.noise


def test_a_metric_that_scores_the_same_answers_otherwise(graded):
    """A judge that does not repeat itself is found by comparing both sides of the recorded verdict."""
    evidence = decide_regression(graded([0.5] * 30), graded([0.5] * 29 + [0.6])).evidence

    assert not self_check(evidence, splits=10).is_repeatable


@pytest.mark.parametrize(("splits", "kind"), [(0, "no_regression"), (10, "at_least")])
def test_what_cannot_be_checked(graded, splits, kind):
    """Bars have no second side, and no split is no check."""
    scores = graded([0.5] * 30)
    verdict = decide_at_least(scores, 0.4) if kind == "at_least" else decide_regression(scores, scores)

    with pytest.raises(ValueError, match=f"kind='{kind}', splits={splits}; expected one of no_regression, "):
        self_check(verdict.evidence, splits=splits)
