"""A version against itself: p-values spread over (0, 1), or lie above where the test is cautious."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmval.statistics import mcnemar_exact, mcnemar_midp, paired_t_interval, sign_flip_p


def student_p(differences):
    """The p-value that the t interval stands for, from its centre and its width."""
    interval, degrees = paired_t_interval(differences), len(differences) - 1
    error = (interval.high - interval.low) / 2 / stats.t.ppf(0.95, degrees)
    return 2 * stats.t.sf(abs(interval.high + interval.low) / 2 / error, degrees)


def size(p_value, level, cases, changed_share):
    """Chance of p ≤ level when as many cases are gained as lost, added up."""
    total = 0.0
    for changed in range(cases + 1):
        found = [p_value(gained, changed - gained) <= level for gained in range(changed + 1)]
        shares = stats.binom.pmf(np.arange(changed + 1)[found], changed, 0.5)
        total += stats.binom.pmf(changed, cases, changed_share) * float(shares.sum())
    return total


@pytest.mark.parametrize("p_value", [student_p, sign_flip_p])
def test_graded_scores(p_value):
    """600 comparisons of 14 cases: uniform by Kolmogorov and Smirnov."""
    random = np.random.default_rng(11)

    found = [p_value(random.normal(size=14)) for _ in range(600)]

    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_graded_scores_in_clusters():
    """Ten clusters of three with much in common: flipped as wholes they are uniform, one by one far from it."""
    random, clusters = np.random.default_rng(12), [place // 3 for place in range(30)]
    suites = [np.repeat(random.normal(size=10), 3) + random.normal(0, 0.3, 30) for _ in range(400)]

    whole = [sign_flip_p(suite, clusters=clusters) for suite in suites]
    single = [sign_flip_p(suite, resamples=199) for suite in suites]

    assert stats.kstest(whole, "uniform").pvalue > 0.01
    assert np.mean(np.array(single) <= 0.05) > 0.15


@pytest.mark.parametrize("level", [0.01, 0.05, 0.10, 0.20, 0.50])
@pytest.mark.parametrize(("cases", "changed_share"), [(20, 0.1), (100, 0.1), (100, 0.5)])
def test_passes_and_failures(cases, changed_share, level):
    """The exact value never exceeds its level; mid-p comes closer from below and exceeds it by a tenth at most."""
    exact, midp = (size(p_value, level, cases, changed_share) for p_value in (mcnemar_exact, mcnemar_midp))

    assert exact <= level
    assert exact <= midp <= 1.1 * level


def test_size_reproduces_the_simulation():
    """Methodology §1.3, 100 cases of which a tenth changes: exact .019, mid-p .038, simulated."""
    found = [size(p_value, 0.05, 100, 0.1) for p_value in (mcnemar_exact, mcnemar_midp)]

    assert found == pytest.approx([0.019, 0.038], abs=3 * math.sqrt(0.038 / 4000))
