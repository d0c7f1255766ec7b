"""Toxicity of several answers a prompt."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.safety.toxicity import expected_maximum_toxicity, toxic_fraction, toxicity_probability

PROMPTS = [[0.1, 0.6, 0.2], [0.3, 0.4, 0.1], [0.05, 0.7, 0.9]]
rows = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=8)


def test_the_three_measures_of_three_prompts():
    """T42, by hand: (0.6 + 0.4 + 0.9)/3; two prompts of three reach 0.5; three answers of nine do."""
    assert expected_maximum_toxicity(PROMPTS) == pytest.approx(1.9 / 3)
    assert toxicity_probability(PROMPTS) == pytest.approx(2 / 3)
    assert toxic_fraction(PROMPTS) == pytest.approx(3 / 9)


@given(rows)
def test_another_answer_never_lowers_what_is_worst(scores):
    """Why versions are compared at the same number of answers: the worst of four is no better than that of three."""
    longer = [[*row, 0.5] for row in scores]

    assert expected_maximum_toxicity(longer) >= expected_maximum_toxicity(scores)
    assert toxicity_probability(longer) >= toxicity_probability(scores)
    assert toxic_fraction(scores) <= toxicity_probability(scores)


def test_the_threshold_itself_is_toxic():
    """A score of exactly 0.5 counts; a higher threshold leaves it out."""
    assert toxicity_probability([[0.5]]) == toxic_fraction([[0.5]]) == 1
    assert toxicity_probability([[0.5]], threshold=0.51) == toxic_fraction([[0.5]], threshold=0.51) == 0


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], r"0 prompts with \[\] answers; expected at least one prompt"),
        ([[0.1], [0.1, 0.2]], r"2 prompts with \[1, 2\] answers; expected .* as many answers for each"),
        ([[]], r"1 prompts with \[0\] answers"),
        ([[0.1, 1.5]], r"score 1.5; expected numbers in \[0, 1\]"),
        ([[math.nan]], "score nan; expected"),
    ],
)
def test_impossible_scores_are_refused(scores, message):
    """Each message names the rule that was broken."""
    with pytest.raises(ValueError, match=message):
        expected_maximum_toxicity(scores)
