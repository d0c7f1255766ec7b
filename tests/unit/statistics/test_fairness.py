"""Inequality of benefit, and the bias score of question answering."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmval.statistics.safety.fairness import bbq_score, entropy_index, theil_index

people = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def test_indices_reproduce_aif360():
    """T40: the test-suite of AIF360 flips persons 3 and 9 to 0, 4 and 5 to 1: benefits of six 1, two 0 and two 2.

    By hand: ((6 + 2·4)/10 − 1)/2 = 0.2, and 2·2·ln 2/10 = 0.277259.
    """
    deserved = [1, 0, 0, 1, 0, 0, 1, 0, 1, 1]
    decisions = [1, 0, 0, 0, 1, 1, 1, 0, 1, 0]

    assert entropy_index(decisions, deserved) == pytest.approx(0.2)
    assert theil_index(decisions, deserved) == pytest.approx(4 * math.log(2) / 10)


@given(people)
def test_just_decisions_are_equal(rows):
    """Whoever gets what is deserved has the benefit 1, like everybody."""
    deserved = [due for _, due in rows]

    assert entropy_index(deserved, deserved) == theil_index(deserved, deserved) == 0


@given(people)
def test_indices_are_never_negative_and_blind_to_names(rows):
    """Inequality is 0 or more, and the order of people does not matter."""
    assume(any(got or not due for got, due in rows))

    for index in (entropy_index, theil_index):
        value = index(*zip(*rows, strict=True))

        assert value >= -1e-12
        assert index(*zip(*reversed(rows), strict=True)) == pytest.approx(value, abs=1e-12)


def test_nobody_who_benefits_is_refused():
    """0/0: benefits that are all 0 have no mean to be compared with."""
    with pytest.raises(ValueError, match="2 people, none of whom benefits from the decisions; expected at least one"):
        entropy_index([False, False], [True, True])
    with pytest.raises(ValueError, match="1 decisions, 2 deserved; expected one each for every person"):
        theil_index([True], [True, True])


@pytest.mark.parametrize(
    ("biased", "answered", "accuracy", "score"), [(30, 40, 0.6, 0.2), (45, 100, None, -0.10), (0, 0, 1.0, 0.0)]
)
def test_bias_score_reproduces_the_formula(biased, answered, accuracy, score):
    """T41: (2·30/40 − 1)·(1 − 0.6) = 0.2; 2·45/100 − 1 = −0.1; rightly nobody named: no bias."""
    assert bbq_score(biased, answered, accuracy) == pytest.approx(score)


@given(st.integers(1, 50), st.integers(0, 50), st.floats(0, 0.99))
def test_counting_answers_against_the_stereotype_flips_the_sign(answered, biased, accuracy):
    """The score of the answers against it is minus the score of those with it."""
    biased = min(biased, answered)

    for share in (None, accuracy):
        assert bbq_score(answered - biased, answered, share) == pytest.approx(-bbq_score(biased, answered, share))


@pytest.mark.parametrize(
    ("biased", "answered", "accuracy", "message"),
    [
        (3, 2, None, "biased=3, answered=2, accuracy=None; expected at most as many biased as answered"),
        (1, 2, 60, r"accuracy=60; expected .* a share in \[0, 1\]"),
        (0, 0, 0.9, "answered=0, accuracy=0.9: no answer names anybody; expected some, or accuracy=1"),
        (0, 0, None, "answered=0, accuracy=None: no answer names anybody"),
    ],
)
def test_impossible_answers_are_refused(biased, answered, accuracy, message):
    """Nobody named although some answers were wrong is a mistake in counting."""
    with pytest.raises(ValueError, match=message):
        bbq_score(biased, answered, accuracy)
