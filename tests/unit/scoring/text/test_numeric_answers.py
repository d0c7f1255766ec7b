"""The number in an answer."""

import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.numeric import numeric_answer


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("42", 42),
        ("The total is $1,234,567.50.", "1234567.50"),
        ("-5", -5),
        ("\u22125", -5),
        ("-$5 and no more", -5),
        ("$-5", -5),
        ("+7", 7),
        ("pages 3-5", 5),
        ("10%-20%", 20),
        ("about 50 %", 50),
        ("GPT4 says 7", 7),
        ("version 1.2.3", "1.2"),
        ("It is.42", 42),
        (".5", "0.5"),
        ("so...5", 5),
        ("5e3", 5000),
        ("1.5E-3", "0.0015"),
        ("5km", 5),
        ("the 5th", 5),
        ("1/2", 2),
        ("3,5", 5),
        ("1,2345", 2345),
        ("1'000", 1000),
        ("1\u202f000", 1000),
        ("答案是42。", 42),
        ("٤٢", 42),
        ("#### 72", 72),
        ("2024-01-05", 5),
        (r"\boxed{42}", 42),
        ("\ud800 42", 42),
        ("12345678901234567891", 12345678901234567891),
    ],
)
def test_what_is_read(score_of, answer, number):
    """Each line of the docstring: the last number of the answer is this one and no other."""
    assert score_of(numeric_answer, answer, Decimal(number)) == 1.0
    assert score_of(numeric_answer, answer, Decimal(number) + 1) == 0.0


@pytest.mark.parametrize("answer", ["", "forty-two", "B2", "NaN", "inf", "1e99999999999999999999", "x_5"])
def test_what_is_no_number(score_of, answer):
    """It is a wrong answer."""
    assert score_of(numeric_answer, answer, 5) == 0.0


@pytest.mark.parametrize(
    ("pick", "answer", "score"),
    [
        ("last", "3 + 4 = 7", 1.0),
        ("first", "3 + 4 = 7", 0.0),
        ("first", "7 = 3 + 4", 1.0),
        ("only", "3 + 4 = 7", 0.0),
        ("only", "It is 7.", 1.0),
        ("only", "seven", 0.0),
        (r"Answer: (.*)", "Answer: $7, since 3 + 4", 1.0),
        (re.compile(r"answer: (\S+)", re.IGNORECASE), "3 + 4. Answer: 7", 1.0),
        (r"Answer: (.*)", "7", 0.0),
        (r"Answer: (\d+)?", "Answer: none", 0.0),
    ],
)
def test_which_number_counts(score_of, pick, answer, score):
    """The last, the first, the only one, or the one in the group of a pattern."""
    assert score_of(numeric_answer, answer, 7, pick=pick) == score


@pytest.mark.parametrize(
    ("answer", "reference", "tolerances", "score"),
    [
        ("0.3", 0.2, {"tolerance": 0.1}, 1.0),  # in floats 0.3 − 0.2 is 0.09999999999999998 and 0.2 − 0.1 is 0.1
        ("0.1", 0.2, {"tolerance": 0.1}, 1.0),
        ("0.31", 0.2, {"tolerance": 0.1}, 0.0),
        ("101", 100, {"relative_tolerance": 0.01}, 1.0),
        ("102", 100, {"relative_tolerance": 0.01}, 0.0),
        ("-101", -100, {"relative_tolerance": 0.01}, 1.0),
        ("102", 100, {"tolerance": 2, "relative_tolerance": 0.01}, 1.0),
        ("42.0", 42, {}, 1.0),
        ("42", 42.0, {}, 1.0),
        ("1000", "1,000", {}, 1.0),
        ("7", ["6", 7], {}, 1.0),
        ("0.1", np.float32(0.1), {}, 1.0),
        ("2e9999999", "1e9999999", {"relative_tolerance": 0.1}, 0.0),
    ],
)
def test_tolerances(score_of, answer, reference, tolerances, score):
    """|answer − reference| ≤ the larger of both, in decimals; without any they are equal."""
    assert score_of(numeric_answer, answer, reference, **tolerances) == score


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "True"),
        ("many", "'many'"),
        ("5 to 10", "'5 to 10'"),
        (["many"], "['many']"),
    ],
)
def test_a_reference_that_is_no_number(score_of, reference, shown):
    """No answer can be right or wrong."""
    assert score_of(numeric_answer, "5", reference) == Unscored(
        f"the reference {shown} is no finite number, nor a text with exactly one"
    )


def test_without_a_reference(score_of):
    """The case stays unscored."""
    assert score_of(numeric_answer, "5", None) == Unscored("the case has no reference")


@given(
    number=st.integers() | st.decimals(allow_nan=False, allow_infinity=False), words=st.sampled_from(["", " km", "."])
)
def test_a_number_as_python_writes_it(score_of, number, words):
    """It is read as what it is."""
    assert score_of(numeric_answer, f"It is {number}{words}", number) == 1.0


@given(
    answer=st.decimals(-9, 9, places=2),
    reference=st.decimals(-9, 9, places=2),
    narrow=st.integers(0, 9),
    more=st.integers(0, 9),
)
def test_a_wider_tolerance(score_of, answer, reference, narrow, more):
    """It never makes a right answer wrong."""
    before, after = (
        score_of(numeric_answer, str(answer), reference, tolerance=tolerance) for tolerance in (narrow, narrow + more)
    )

    assert before <= after


def test_versions(version_of):
    """Tolerances and pick are part of it."""
    assert version_of(numeric_answer) == "tolerance=0.0 relative=0.0 pick=last"
    assert version_of(numeric_answer, tolerance=0.5, pick="(.*)") == ("tolerance=0.5 relative=0.0 pick='(.*)' flags=32")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -1}, "tolerance=-1; expected a finite number, 0 or more"),
        ({"relative_tolerance": float("nan")}, "relative_tolerance=nan; expected a finite number, 0 or more"),
        ({"tolerance": "1"}, "tolerance='1'; expected a finite number, 0 or more"),
        (
            {"pick": "lst"},
            (
                "pick='lst': neither a regular expression with one group nor a known word; "
                "did you mean 'last'? known: 'first', 'last', 'only'"
            ),
        ),
        ({"pick": "(a)(b)"}, "pick='(a)(b)' has 2 groups; expected one, around the number"),
        (
            {"pick": "(a"},
            "pick='(a' is no regular expression: missing ), unterminated subpattern at position 0",
        ),
    ],
)
def test_a_wrong_parameter(responses_to, options, message):
    """It is refused before anything is scored."""
    with pytest.raises(ValueError, match=r"expected|known|regular expression") as caught:
        numeric_answer(responses_to(), **options)

    assert str(caught.value) == message
