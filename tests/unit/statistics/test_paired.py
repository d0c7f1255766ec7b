"""Two versions on the same cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from pytest_llmval.statistics import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval

changes = st.tuples(st.integers(0, 60), st.integers(0, 60))
pairs = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200)).filter(any)


def test_tango_reproduces_the_published_interval():
    """T5: cavo_2012 [[59, 6], [16, 80]] of R contingencytables (Fagerland et al.), p1 − p2 = −0.0621."""
    interval = tango_interval(gained=6, lost=16, pairs=161, confidence=0.95)

    assert (interval.low, interval.high) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


def test_tango_reaches_one_when_every_case_is_gained():
    """T6: n = 3, b = 3, c = 0 gives (−0.1230, 1.0) in Tango (1998)."""
    interval = tango_interval(gained=3, lost=0, pairs=3, confidence=0.95)

    assert (interval.low, interval.high) == pytest.approx((-0.1230, 1.0), abs=5e-5)


@pytest.mark.parametrize(("margin", "cases"), [(0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52), (0.10, 25)])
def test_unchanged_pairs_need_this_many_cases_for_a_margin(margin, cases):
    """T53: without a change the bound is z²/(n + z²), z = 1.645."""
    assert tango_interval(0, 0, cases).low > -margin
    assert tango_interval(0, 0, cases - 1).low <= -margin


@given(pairs, st.sampled_from([0.8, 0.9, 0.95, 0.998]))
def test_tango_contains_its_estimate(counts, confidence):
    """An interval contains its estimate and stays within [−1, 1]."""
    gained, lost, same = counts

    interval = tango_interval(gained, lost, gained + lost + same, confidence)

    assert -1 <= interval.low <= (gained - lost) / (gained + lost + same) <= interval.high <= 1


@given(pairs)
def test_swapping_the_versions_mirrors_tango(counts):
    """Gained and lost exchange their places, so the interval changes its sign."""
    gained, lost, same = counts
    total = gained + lost + same

    forth, back = tango_interval(gained, lost, total), tango_interval(lost, gained, total)

    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(pairs)
def test_tango_ends_lie_where_the_score_statistic_is_critical(counts):
    """An independent check of the ends: a grid search over the profile likelihood's variance."""
    gained, lost, same = counts
    total = gained + lost + same

    interval = tango_interval(gained, lost, total)

    for end in (interval.low, interval.high):
        if abs(end) < 1:
            assert abs(_score(gained, lost, total, end)) == pytest.approx(1.6448536, abs=1e-4)


def _score(gained, lost, total, delta):
    """Tango's statistic with the lost share found by maximising the trinomial likelihood numerically."""
    low, high = max(0.0, -delta), (1 - delta) / 2
    for _ in range(200):  # the slope falls with the share: find its zero
        share = (low + high) / 2
        slope = -math.inf if total == gained + lost and share >= (1 - delta) / 2 else 0.0
        slope += gained / (share + delta) if gained else 0.0
        slope += lost / share if lost else 0.0
        slope -= 2 * (total - gained - lost) / (1 - 2 * share - delta) if total > gained + lost else 0.0
        low, high = (share, high) if slope > 0 else (low, share)
    return (gained - lost - total * delta) / math.sqrt(total * (2 * low + delta * (1 - delta)))


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 60))
def test_losing_one_more_case_never_raises_tango(gained, lost, same):
    """A case that stayed the same and is now lost moves both ends down."""
    total = gained + lost + same

    fewer, more = tango_interval(gained, lost - 1, total), tango_interval(gained, lost, total)

    assert more.low <= fewer.low + 1e-12
    assert more.high <= fewer.high + 1e-12


@pytest.mark.parametrize(
    ("gained", "lost", "exact", "midp"),
    [
        (6, 16, 0.052479, 0.034690),
        (1, 7, 0.0703125, 0.0390625),
        (25, 2, 5.6475e-06, 3.0324e-06),
        (150, 86, 3.7159e-05, 2.8934e-05),
    ],
)
def test_mcnemar_reproduces_the_published_tables(gained, lost, exact, midp):
    """T3 cavo_2012, T4 bentur_2009, T7 ezra_2010 (Fagerland et al.), T8 Agresti's approval table."""
    assert mcnemar_exact(gained, lost) == pytest.approx(exact, rel=2e-5)
    assert mcnemar_midp(gained, lost) == pytest.approx(midp, rel=2e-5)


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(121, 59, 4e-6), (70, 59, 0.378688), (80, 59, 0.089452), (10, 10, 1)]
)
def test_exact_mcnemar_reproduces_the_statsmodels_suite(gained, lost, p):
    """T1: values of Vassar's online calculator in the test-suite of statsmodels."""
    assert mcnemar_exact(gained, lost) == pytest.approx(p, abs=5e-7)


@given(changes)
def test_exact_mcnemar_agrees_with_statsmodels(counts):
    """The oracle is statsmodels; it has no mid-p."""
    gained, lost = counts

    expected = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0

    assert mcnemar_exact(gained, lost) == pytest.approx(expected)


@given(changes)
def test_mid_p_is_at_most_the_exact_p_and_blind_to_direction(counts):
    """Swapping the versions keeps a two-sided p-value."""
    assert 0 < mcnemar_midp(*counts) <= mcnemar_exact(*counts) <= 1
    assert mcnemar_midp(*counts) == mcnemar_midp(*counts[::-1])


def test_mid_p_of_many_changes_does_not_overflow():
    """Two thousand changes: the binomial coefficient has six hundred digits."""
    assert mcnemar_midp(1000, 1000) == pytest.approx(1.0)
    assert mcnemar_midp(950, 1050) == pytest.approx(0.0254, abs=1e-4)  # χ² = 100²/2000 = 5, p = .0253


@pytest.mark.parametrize(("discordant", "alpha"), [(5, 0.05), (7, 0.01), (10, 0.001)])
def test_mid_p_needs_this_many_changes(discordant, alpha):
    """T52: with none gained, 5, 7 and 10 lost cases are the fewest significant ones."""
    assert mcnemar_midp(0, discordant) <= alpha < mcnemar_midp(0, discordant - 1)


def test_t_interval_reproduces_students_sleep_data():
    """T12: Student's sleep data in R's ?t.test, paired: −2.459886, −0.700114."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

    interval = paired_t_interval((first - second).tolist(), confidence=0.95)

    assert (interval.low, interval.high) == pytest.approx((-2.459886, -0.700114), abs=5e-7)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60))
def test_t_interval_agrees_with_statsmodels(differences):
    """The oracle is tconfint_mean of statsmodels."""
    interval = paired_t_interval(differences, 0.90)

    expected = DescrStatsW(differences).tconfint_mean(alpha=0.10)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)


def test_one_difference_is_refused():
    """One difference has no spread."""
    with pytest.raises(ValueError, match=r"1 differences; an interval from their spread needs at least 2"):
        paired_t_interval([0.1])


def test_more_changes_than_pairs_are_refused():
    """The message names the counts."""
    with pytest.raises(ValueError, match=r"pairs=4; expected more than 0 and at least gained \+ lost = 5"):
        tango_interval(2, 3, 4)


@pytest.mark.parametrize("function", [mcnemar_exact, mcnemar_midp])
def test_negative_counts_are_refused(function):
    """The message names both counts."""
    with pytest.raises(ValueError, match=r"gained=-1, lost=3; expected counts of cases, 0 or more"):
        function(-1, 3)
