"""The trials of each case are dealt to two sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.verdicts.evidence import scores_from_dict, scores_to_dict
from pytest_llmval.verdicts.halves import pool_of

rows_of_trials = st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=7), min_size=1, max_size=8)


def pool(rows, **fields):
    """The pool of cases with these trials; None stands for a case without a score."""
    values = tuple(Unscored("no grade") if row is None else sum(row) / len(row) for row in rows)
    by_trial = tuple(tuple(row or ()) for row in rows)
    ids = tuple(f"c{place}" for place in range(len(rows)))
    trials = max(map(len, by_trial))
    made = Scores("rouge_l", ids, values, trials=trials, by_trial=by_trial if trials > 1 else None, **fields)
    return pool_of(scores_to_dict(made))


@given(rows_of_trials, st.integers(0, 99))
def test_each_trial_is_dealt_at_most_once(rows, seed):
    """Both sides get half of the trials of the case with the fewest, and no trial is on both."""
    dealt = pool(rows).deal(np.random.default_rng(seed))

    fewest = min(map(len, rows)) // 2
    assert dealt.candidate.shape == dealt.baseline.shape == (len(rows), max(1, fewest))
    if fewest:
        for row, ours, theirs in zip(rows, dealt.candidate.tolist(), dealt.baseline.tolist(), strict=True):
            left = list(row)
            for value in (*ours, *theirs):
                left.remove(value)


@given(rows_of_trials, st.integers(0, 99))
def test_either_side_is_a_whole_set_of_scores(rows, seed):
    """The scores of a side can be read back."""
    recorded = pool(rows)
    dealt = recorded.deal(np.random.default_rng(seed))

    read = scores_from_dict(recorded.scores(dealt.candidate))

    assert read.ids == tuple(f"c{place}" for place in range(len(rows)))
    assert np.allclose(read.values, dealt.candidate.mean(axis=1))


def test_a_mean_at_a_bound_stays_within():
    """(0.1 + 0.1 + 0.1) / 3 is a little more than 0.1, which would be outside bounds of 0 and 0.1."""
    recorded = pool([[0.1] * 6], bounds=(0.0, 0.1))

    side = recorded.scores(recorded.deal(np.random.default_rng(0)).candidate)

    assert scores_from_dict(side).values == (0.1,)


def test_every_way_to_deal_comes_up():
    """Four trials can be halved in six ways, each as likely: of 600 deals 100 each, with a standard deviation of 9."""
    recorded, random = pool([[0.1, 0.2, 0.3, 0.4]]), np.random.default_rng(1)

    halves = [tuple(sorted(recorded.deal(random).candidate[0].tolist())) for _ in range(600)]

    counts = {each: halves.count(each) for each in set(halves)}
    assert len(counts) == 6
    assert all(60 <= count <= 140 for count in counts.values()), counts


def test_a_case_without_a_score_stays_without():
    """Its reason is kept for both sides."""
    recorded = pool([[1.0, 0.0], None])

    side = scores_from_dict(recorded.scores(recorded.deal(np.random.default_rng(0)).baseline))

    assert side.values[1] == Unscored("no grade")
    assert side.values[0] in (0.0, 1.0)


@pytest.mark.parametrize(("trials", "kept"), [(2, None), (4, 2), (5, 2)])
def test_values_by_trial_are_kept_with_more_than_one(trials, kept):
    """Of an odd number one trial is left over."""
    recorded = pool([[0.5] * trials] * 3)

    side = recorded.scores(recorded.deal(np.random.default_rng(0)).candidate)

    assert side["trials"] == trials // 2
    assert side["by_trial"] == (None if kept is None else [[0.5] * kept] * 3)
    assert not recorded.varies


def test_cases_that_were_asked_once_have_two_equal_sides():
    """There is nothing to deal."""
    recorded = pool([[0.3], [0.7]])

    dealt = recorded.deal(np.random.default_rng(0))

    assert recorded.a_side == 0
    assert dealt.candidate.tolist() == dealt.baseline.tolist() == [[0.3], [0.7]]
    assert recorded.scores(dealt.candidate)["trials"] == 1
