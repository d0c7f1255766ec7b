"""Logprobs that are not the reference's, and what they are instead."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.serving.contract.explaining import SHIFTED, agree, explanation, told
from pytest_llmval.scoring.serving.contract.tolerance import USUAL, Tolerance

EXPECTED = [-2.0, -0.5, -4.0]
AFTER = [-1.0, -3.0, -0.2]
logprobs = st.lists(st.floats(-30, 0), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (AFTER, SHIFTED),
        ([each / math.log(10) for each in EXPECTED], "they are logarithms to base 10, not natural ones"),
        ([each / math.log(2) for each in EXPECTED], "they are logarithms to base 2, not natural ones"),
        ([math.exp(each) for each in EXPECTED], "they are probabilities, not logarithms"),
        ([-7.0, -8.0, -9.0], ""),
    ],
)
def test_what_they_are_is_told(values, words):
    """Only where it is known."""
    assert explanation(values, EXPECTED, USUAL, AFTER) == words


def test_the_mean_and_the_largest_difference_both_count():
    """Differences of 0 and 0.03: a mean of 0.015 within 0.02, and a largest of 0.03 within 0.1."""
    assert agree([-1.0, -1.0], [-1.0, -1.03], USUAL)
    assert not agree([-1.0, -1.0], [-1.0, -1.03], Tolerance(mean=0.014))
    assert not agree([-1.0, -1.0], [-1.0, -1.03], Tolerance(largest=0.029))


def test_nan_agrees_with_nothing():
    """It is no number that could be close to one."""
    assert not agree([math.nan], [-1.0], USUAL)


@given(logprobs, st.floats(0, 5), st.floats(1, 4))
def test_a_wider_tolerance_never_fails_what_passed(values, shift, factor):
    """Both bounds are upper bounds."""
    moved = [each - shift for each in values]

    if agree(moved, values, USUAL):
        assert agree(moved, values, Tolerance(USUAL.mean * factor, USUAL.largest * factor))


def test_the_tokens_that_differ_most_are_told_first():
    """With the mean difference: (1 + 0.5 + 0 + 2) / 4 = 0.875."""
    came, wanted = told([-1.0, -1.5, -1.0, -3.0], [-2.0, -1.0, -1.0, -1.0])

    assert came == ("-3.0000 (token 3), -1.0000 (token 0), -1.5000 (token 1); the mean difference of 4 tokens is 0.875")
    assert wanted == "-1.0000, -2.0000, -1.0000"
