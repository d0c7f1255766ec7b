"""The grade a judge means, over the tokens it might have written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.agreement.expected_grade import expected_grade

grades = st.dictionaries(st.integers(1, 10), st.floats(-50, 0), min_size=1)


def test_grade_reproduces_the_example():
    """T38: Σ k·eˡ / Σ eˡ for log-probabilities −4, −3, −1.5, −0.5, −2 of the grades 1 to 5."""
    assert expected_grade({1: -4, 2: -3, 3: -1.5, 4: -0.5, 5: -2}) == pytest.approx(3.765447, abs=5e-7)


@given(grades)
def test_grade_lies_between_the_grades_given(logprobs):
    """A mean is no less than the least and no more than the greatest."""
    assert min(logprobs) - 1e-9 <= expected_grade(logprobs) <= max(logprobs) + 1e-9


@given(grades, st.floats(-800, 800))
def test_only_relations_of_probabilities_count(logprobs, shift):
    """Tokens that are no grades take a share of the probability; the mean does not move, whatever they leave."""
    moved = {grade: logprob + shift for grade, logprob in logprobs.items()}

    assert expected_grade(moved) == pytest.approx(expected_grade(logprobs))


def test_grades_that_are_all_unlikely_still_have_a_mean():
    """Probabilities below the smallest float: by hand (4 + 5/e)/(1 + 1/e) = 4.2689."""
    assert expected_grade({4: -800, 5: -801}) == pytest.approx(4.2689414)


def test_impossible_grade_does_not_count():
    """A log-probability of minus infinity is a probability of 0."""
    assert expected_grade({1: -math.inf, 4: -2.0}) == 4


@pytest.mark.parametrize("logprobs", [{}, {1: -math.inf}, {1: math.nan}])
def test_no_grade_is_refused(logprobs):
    """No grade among the tokens is no grade, rather than 0."""
    with pytest.raises(ValueError, match=r"logprobs=\{.*\}; expected the finite log-probability of at least one grade"):
        expected_grade(logprobs)
