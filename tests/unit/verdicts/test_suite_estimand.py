"""Exactly these cases: only the noise between trials counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import Outcome

FAILED = Unscored("timed out", failed=True)


def _of_trials(build, rows, **fields):
    """Scores of cases from the values of each trial."""
    trials = len(rows[0])
    return build([sum(row) / trials for row in rows], by_trial=tuple(map(tuple, rows)), trials=trials, **fields)


def _drawn(rng, rates, trials):
    return (rng.random((len(rates), trials)) < rates[:, None]).astype(float).tolist()


def test_the_spread_between_cases_does_not_count(graded):
    """Thirty cases, half lost by .2 and half won: between such cases that is noise, of these cases nothing changed.

    The error is that of the trials: s² = .0002 for two of .01 apart… √(60 · .00005/2)/30 = .0013.
    """
    signs = [1 if place % 2 else -1 for place in range(30)]
    before = [[0.5, 0.51] for _ in signs]
    after = [[0.5 + 0.2 * sign, 0.51 + 0.2 * sign] for sign in signs]

    suite = decide_regression(_of_trials(graded, after), _of_trials(graded, before), estimand="suite", margin=0.01)
    population = decide_regression(_of_trials(graded, after), _of_trials(graded, before), margin=0.01)

    assert (suite.outcome, suite.method) == (Outcome.EQUIVALENT, "suite_t")
    assert suite.high - suite.delta == pytest.approx(1.671 * math.sqrt(60 * 0.00005 / 2) / 30, rel=0.01)
    assert population.outcome is Outcome.INCONCLUSIVE


def test_trials_that_agree_are_no_certainty(graded):
    """Five cases with two equal trials each: ten trials agreed, which shows little."""
    same = _of_trials(graded, [[1.0, 1.0]] * 5)

    verdict = decide_regression(same, same, estimand="suite")

    assert (verdict.outcome, verdict.method) == (Outcome.INCONCLUSIVE, "suite_t+score")
    assert verdict.needed_cases is None
    assert "trials of each case would decide it" in verdict.reason


def test_single_trials_are_invalid(graded):
    """There is no noise to judge by; the message says how to get it."""
    verdict = decide_regression(graded([0.5] * 60), graded([0.5] * 60), estimand="suite")

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason.endswith("each was asked once; expected cases(..., trials=2) or more")


def test_clusters_do_not_matter_to_exactly_these_cases(graded):
    """They say how a sample hangs together; there is no sample."""
    rows = [[0.4 + 0.01 * (place % 7), 0.45] for place in range(40)]
    plain = decide_regression(_of_trials(graded, rows), _of_trials(graded, rows), estimand="suite")

    clusters = ("one",) * 40
    clustered = decide_regression(
        _of_trials(graded, rows, clusters=clusters), _of_trials(graded, rows, clusters=clusters), estimand="suite"
    )

    assert (clustered.outcome, clustered.low, clustered.high) == (plain.outcome, plain.low, plain.high)


def test_a_crash_counts_as_the_worst_trial(graded):
    """One case of 40 without an answer: −.45/40 from it alone."""
    rows = [[0.4, 0.5]] * 40
    candidate = _of_trials(graded, rows)
    crashed = graded([FAILED, *candidate.values[1:]], by_trial=((), *candidate.by_trial[1:]), trials=2)

    verdict = decide_regression(crashed, _of_trials(graded, rows), estimand="suite")

    assert verdict.delta == pytest.approx(-0.45 / 40)
    assert verdict.counts.failed == 1


def test_an_unknown_estimand_is_refused(graded):
    """Both words, and what they mean."""
    with pytest.raises(ValueError, match=r"estimand='x'; expected 'population' \(cases like these\) or 'suite'"):
        decide_regression(graded([0.5]), graded([0.5]), estimand="x")


def test_a_bar_for_exactly_these_cases(graded):
    """Half of the cases pass always, half never: sure of these cases, not of others like them."""
    rows = [[1.0, 1.0, 1.0, 0.98]] * 30 + [[0.0, 0.0, 0.0, 0.02]] * 30

    suite, population = (
        decide_at_least(_of_trials(graded, rows), 0.45, estimand=estimand) for estimand in ("suite", "population")
    )

    assert (suite.outcome, population.outcome) == (Outcome.EQUIVALENT, Outcome.INCONCLUSIVE)
    assert recompute(suite.evidence) == suite


def test_the_level_is_kept_at_the_margin():
    """Forty cases with pass rates of their own, four trials, all five points worse: 5 % may pass; se is .7 %."""
    from pytest_llmval.scoring.score import Scores

    rng, runs, passed = np.random.default_rng(5), 1000, 0
    rates = rng.uniform(0.1, 0.95, 40)
    ids = tuple(f"c{place}" for place in range(40))

    def build(values, **fields):
        return Scores("rate", ids, tuple(values), kind="binary", **fields)

    for _ in range(runs):
        before, after = (_of_trials(build, _drawn(rng, each, 4)) for each in (rates, rates - 0.05))
        passed += decide_regression(after, before, estimand="suite").passed

    assert passed / runs <= 0.05 + 3 * 0.007
