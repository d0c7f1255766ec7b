"""Two versions on the same cases."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from pytest_llmval.statistics import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval

changes = st.tuples(st.integers(0, 60), st.integers(0, 60))
pairs = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200)).filter(any)


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


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60))
def test_t_interval_agrees_with_statsmodels(differences):
    """The oracle is tconfint_mean of statsmodels."""
    interval = paired_t_interval(differences, 0.90)

    expected = DescrStatsW(differences).tconfint_mean(alpha=0.10)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60))
def test_swapping_the_versions_mirrors_the_t_interval(differences):
    """Negative differences, the same width."""
    forth, back = paired_t_interval(differences), paired_t_interval([-value for value in differences])

    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(pairs, st.integers(1, 1000))
def test_unchanged_pairs_leave_a_difference_where_it_is(counts, more):
    """Whether 0 is plausible rests on the changed pairs alone, as in McNemar's test."""
    gained, lost, same = counts

    few, many = (tango_interval(gained, lost, gained + lost + same + added) for added in (0, more))

    assert (few.low > 1e-9, few.high < -1e-9) == (many.low > 1e-12, many.high < -1e-12)


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
