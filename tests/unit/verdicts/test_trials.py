"""Whether a test that is run several times passes often enough."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.reports.figures import row
from pytest_llmval.reports.summary import Gate
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.trials import Result, Trial, TrialPlan, decide_trials, is_settled
from pytest_llmval.verdicts.verdict import Counts, Outcome

PASSED = Trial(Result.PASSED)
FAILED = Trial(Result.FAILED, "AssertionError: no")
LOST = Trial(Result.LOST, "ServerError: gone")
UNDECIDED = Trial(Result.UNDECIDED, "inconclusive: accuracy 0.500")
RANK = (Outcome.REGRESSED, Outcome.INCONCLUSIVE, Outcome.EQUIVALENT)


def taken(sequence, plan):
    """The trials of a sequence that are run: until it is settled."""
    trials = []
    while not is_settled(trials, plan):
        trials.append(sequence[len(trials)])
    return trials


def decided(trials, planned, rate, **more):
    """The verdict on a whole sequence."""
    return decide_trials(trials, planned=planned, min_pass_rate=rate, **more)


def test_all_trials_passed_and_show_it():
    """0.9^29 = 0.047: 29 of 29 are the fewest that rule a rate below 0.9 out; 0.05^(1/29) = 0.902."""
    verdict = decided([PASSED] * 29, 29, 0.9)

    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.headline == "29 of 29 trials passed (1.000, 90% CI [0.902, 1.000]), bar 0.9"
    assert (verdict.reason, verdict.metric, verdict.kind) == ("", "pass rate over trials", "trials")
    assert (verdict.candidate, verdict.threshold, verdict.needed_cases) == (1.0, 0.9, None)
    assert verdict.counts == Counts(cases=29, compared=29)


def test_all_trials_passed_and_cannot_show_it():
    """0.9^20 = 0.12: the message says how many can."""
    verdict = decided([PASSED] * 20, 20, 0.9)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "20 trials cannot show 0.9 even if all pass; 29 can"
    assert verdict.needed_cases == 29


def test_three_failures_in_a_row_are_enough():
    """E = ∫ over rates below 0.9 of ((1−q)/0.1)³/0.9 = (1 − 0.1⁴)/(4·0.9·0.1³) = 278 ≥ 40, after 2 still 37."""
    plan = TrialPlan(50, 0.9)
    trials = taken([FAILED] * 50, plan)

    verdict = decided(trials, 50, 0.9)

    assert len(trials) == 3
    assert verdict.outcome is Outcome.REGRESSED
    # Whatever ends as early as this: 1 − P(three failures) = 0.95 gives 0.05^(1/3) = 1 − 0.632.
    assert (
        verdict.headline
        == "0 of 3 trials passed (0.000, 90% CI [0.000, 0.632]), bar 0.9; decided after 3 of at most 50"
    )
    assert verdict.reason == "shown below the bar of 0.9; trial 3: AssertionError: no"


def test_in_doubt_the_verdict_says_how_many_trials_would_decide():
    """27 of 30 with a bar of 0.8: P(X ≥ 27 | 30, 0.8) = 0.12; 45 of 50 would do, with a chance of 0.048."""
    verdict = decided([FAILED] * 3 + [PASSED] * 27, 30, 0.8)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == (
        f"not shown to reach the bar of 0.8: the interval reaches {verdict.low:.3f}; about 50 trials would decide it "
        "if the pass rate stays the same"
    )
    assert verdict.needed_cases == 50


def test_a_rate_right_at_the_bar_is_never_decided():
    """Ten of 20 passed, and one half was asked for."""
    verdict = decided([PASSED, FAILED] * 10, 20, 0.5)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.endswith("more trials would not decide it if the pass rate stays the same")
    assert verdict.needed_cases is None


@pytest.mark.parametrize(("planned", "run"), [(1, 1), (8, 8), (40, 40)])
def test_a_bar_of_one_is_a_claim_about_these_trials(planned, run):
    """All passed: no interval is asked whether it reaches 1, which it never could."""
    trials = taken([PASSED] * planned, TrialPlan(planned))

    verdict = decide_trials(trials, planned=planned)

    assert len(trials) == run
    assert verdict.outcome is Outcome.EQUIVALENT
    assert verdict.headline.endswith(", bar 1")


def test_one_failure_breaks_a_bar_of_one():
    """At once, and the reason names it."""
    trials = taken([PASSED, PASSED, FAILED, PASSED], TrialPlan(4))

    verdict = decide_trials(trials, planned=4)

    assert (verdict.outcome, len(trials)) == (Outcome.REGRESSED, 3)
    assert verdict.reason == "not every trial passed; trial 3: AssertionError: no"


def test_a_lost_trial_keeps_a_bar_of_one_open():
    """19 of 19 passed and one was not run to its end: nobody saw all 20 pass."""
    verdict = decide_trials([*[PASSED] * 19, LOST], planned=20)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "not shown that every trial passes; 1 trial gave no result, trial 20: ServerError: gone"
    assert verdict.needed_cases == 20


@pytest.mark.parametrize("lost", [LOST, UNDECIDED])
def test_up_to_a_twentieth_of_the_planned_trials_may_be_lost(lost):
    """One of 20 is left out of the rate and told; the second ends the test."""
    plan = TrialPlan(20, 0.7)

    one = decided(taken([lost, *[PASSED] * 19], plan), 20, 0.7)
    two = decided(taken([lost, PASSED, lost, *[PASSED] * 17], plan), 20, 0.7)

    assert one.outcome is Outcome.EQUIVALENT
    assert one.counts.compared == one.counts.cases - 1
    assert one.reason == f"1 trial gave no result, trial 1: {lost.reason}"
    assert two.outcome is Outcome.INVALID
    assert two.headline == "pass rate over trials cannot be decided"
    assert two.reason == (
        f"more than 5% of 20 planned trials are lost; 2 trials gave no result, trial 3: {lost.reason}"
    )
    assert two.counts.cases == 3
    assert (two.counts.failed, two.counts.unscored) == ((2, 0) if lost is LOST else (0, 2))


def test_a_lost_trial_shortens_the_sequence_and_spends_no_more_level():
    """29 trials of which one is lost show as much as 28: not a rate of 0.9."""
    verdict = decided([*[PASSED] * 14, LOST, *[PASSED] * 14], 29, 0.9)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("28 trials cannot show 0.9 even if all pass; 29 can; 1 trial gave no result")


def test_trials_that_hardly_differ_are_told():
    """It does not change the outcome."""
    plain, alike = (decided([PASSED] * 29, 29, 0.9, alike=each) for each in (False, True))

    assert plain.outcome is alike.outcome
    assert alike.reason == "all requests are greedy or fix their own seed, so that the trials repeat one another"


SEQUENCES = st.lists(st.sampled_from([PASSED] * 6 + [FAILED] * 3 + [LOST, UNDECIDED]), min_size=40, max_size=40)
RATES = st.sampled_from([0.3, 0.5, 0.8, 0.9, 1.0])


@given(SEQUENCES, st.integers(2, 40), RATES, st.booleans())
def test_the_evidence_gives_the_same_verdict_again(sequence, planned, rate, alike):
    """Read back from JSON, with nothing else."""
    verdict = decided(taken(sequence, TrialPlan(planned, rate)), planned, rate, alike=alike)

    read = verdict_from_dict(json.loads(json.dumps(verdict_to_dict(verdict))))

    assert read == verdict
    assert recompute(read.evidence) == verdict


@given(SEQUENCES, st.integers(2, 40), RATES)
def test_the_interval_and_the_outcome_say_the_same(sequence, planned, rate):
    """Reached is an interval that reaches the bar; not reached is one that lies below it."""
    verdict = decided(taken(sequence, TrialPlan(planned, rate)), planned, rate)

    if verdict.outcome is Outcome.REGRESSED:
        assert verdict.high < rate + 1e-9
    elif verdict.outcome is Outcome.EQUIVALENT and rate < 1:
        assert verdict.low > rate - 1e-9
    elif verdict.outcome is Outcome.INCONCLUSIVE:
        assert verdict.low <= rate + 1e-9
        assert verdict.high >= rate - 1e-9
    assert verdict.counts.cases <= planned


@given(st.lists(st.booleans(), min_size=40, max_size=40), st.integers(2, 40), RATES, st.integers(0, 39))
def test_one_more_failure_never_improves_the_verdict(passes, planned, rate, place):
    """Whatever the rest of the sequence."""
    trials = [PASSED if passed else FAILED for passed in passes]
    worse = [*trials[:place], FAILED, *trials[place + 1 :]]

    before, after = (decided(taken(each, TrialPlan(planned, rate)), planned, rate) for each in (trials, worse))

    assert RANK.index(after.outcome) <= RANK.index(before.outcome)


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_peeking_after_every_trial_keeps_the_error(rate):
    """Simulation, seed 0: 1,000 tests whose pass rate is the bar itself; one trial in 50 is lost, 30 are planned."""
    random, plan, runs = np.random.default_rng(0), TrialPlan(30, rate), 1000
    found = dict.fromkeys(Outcome, 0)
    for _ in range(runs):
        draws = random.random((30, 2))
        sequence = [LOST if lost < 0.02 else PASSED if drawn < rate else FAILED for drawn, lost in draws]
        found[decided(taken(sequence, plan), 30, rate).outcome] += 1

    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found[Outcome.REGRESSED] / runs <= allowed
    assert found[Outcome.EQUIVALENT] / runs <= allowed


def test_trials_after_the_one_that_decided_are_left_out():
    """Another bar may be decided earlier by the same sequence."""
    verdict = decided([FAILED] * 8, 20, 0.5)

    assert verdict.counts.cases == 8
    assert recompute(verdict.evidence, min_pass_rate=0.9).counts.cases == 3


def test_the_table_says_reached_or_not():
    """Like a threshold; `n` counts trials."""
    reached, missed = decided([PASSED] * 29, 29, 0.9), decided([FAILED] * 3, 50, 0.9)

    assert row(Gate("test_x.py::test_it", reached)) == (
        "test_x.py::test_it pass rate over trials", "bar 0.900", "1.000", "-", "[0.902, 1.000]", "-", "29", "reached",
    )  # fmt: skip
    assert row(Gate("test_x.py::test_it", missed))[-1] == "not reached"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: decide_trials([], planned=20), "no trials of 20 planned ones; expected at least 1"),
        (lambda: decided([PASSED], 5, 0), r"bar=0, alpha=0.05; expected a pass rate in \(0, 1\]"),
        (lambda: decided([PASSED], 5, 0.9, alpha=0.6), r"alpha=0.6; expected .* a one-sided level in \(0, 0.5\)"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, text):
    """The message names what was given and what would be right."""
    with pytest.raises(ValueError, match=text):
        call()
