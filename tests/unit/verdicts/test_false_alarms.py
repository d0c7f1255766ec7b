"""How often the rule is wrong, by simulation with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome

SEED = 20261121
ROUNDS = 600
# Three standard errors above 5 % at 600 rounds.
MOST_WRONG = 0.05 + 3 * (0.05 * 0.95 / ROUNDS) ** 0.5


def _binary_twice(random, cases):
    """Two runs of one model that answers 6 % of the cases now this way, now that way."""
    settled, flips = (random.random(cases) < 0.8).astype(float), random.random(cases) < 0.12
    first, second = (np.where(flips, (random.random(cases) < 0.5).astype(float), settled) for _ in range(2))
    return first.tolist(), second.tolist()


def _graded_twice(random, cases):
    """Two runs of one model whose graded answers wobble."""
    centre = random.beta(4, 2, cases)
    return tuple(np.clip(centre + random.normal(0, 0.1, cases), 0, 1).tolist() for _ in range(2))


@pytest.mark.parametrize(("kind", "twice"), [("binary", _binary_twice), ("graded", _graded_twice)])
@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_a_version_compared_with_itself_rarely_regresses(request, kind, twice, margin):
    """A/A: at most 5 % false alarms for any margin; 0 is the hardest, where significance alone decides."""
    build, random = request.getfixturevalue(kind), np.random.default_rng(SEED)

    outcomes = [
        decide_regression(*(build(values) for values in twice(random, 100)), margin=margin).outcome
        for _ in range(ROUNDS)
    ]

    assert outcomes.count(Outcome.REGRESSED) / ROUNDS <= MOST_WRONG, f"seed {SEED}"


@pytest.mark.parametrize("cases", [60, 100, 200])
@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_a_loss_as_large_as_the_margin_rarely_passes(request, kind, cases):
    """One case in twenty broken, margin .05: t alone let 19 % of them pass at 60 cases and 11 % at 200."""
    build, random = request.getfixturevalue(kind), np.random.default_rng(SEED)
    baseline = build([1.0] * cases)

    passed = sum(
        decide_regression(build((random.random(cases) >= 0.05).astype(float).tolist()), baseline).passed
        for _ in range(ROUNDS)
    )

    assert passed / ROUNDS <= MOST_WRONG, f"seed {SEED}"


def test_clusters_that_move_together_rarely_raise_an_alarm(graded):
    """Ten clusters of ten with a common shift of mean 0: CR1 with t(9) keeps 5 %, cases taken as independent do not."""
    random = np.random.default_rng(SEED)
    clusters = tuple(f"g{place // 10}" for place in range(100))
    alarms = {"clustered": 0, "plain": 0}

    for _ in range(ROUNDS):
        shift = np.repeat(random.normal(0, 0.05, 10), 10)
        candidate = np.clip(0.5 + shift + random.normal(0, 0.05, 100), 0, 1).tolist()
        for name, groups in (("clustered", clusters), ("plain", None)):
            verdict = decide_regression(
                graded(candidate, clusters=groups), graded([0.5] * 100, clusters=groups), margin=0.0
            )
            alarms[name] += verdict.outcome is Outcome.REGRESSED

    assert alarms["clustered"] / ROUNDS <= MOST_WRONG, f"seed {SEED}"
    assert alarms["plain"] / ROUNDS > 0.15, f"seed {SEED}"
