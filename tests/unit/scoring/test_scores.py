"""Scores refuse what no verdict could rest on."""

import operator

import pytest

from pytest_llmval import Scores, Unscored
from pytest_llmval.scoring.score import Basis

NAN = float("nan")


def scores(values, **fields):
    """Scores of cases a, b, c …."""
    return Scores(**{"name": "m", "ids": tuple("abcdefgh"[: len(values)]), "values": tuple(values)} | fields)


def test_mean_over_the_cases_that_have_a_value():
    """(1 + 0.5) / 2 = 0.75; the unscored case is counted elsewhere."""
    given = scores([1.0, Unscored("no grade"), 0.5])

    assert given.mean == 0.75
    assert given.measured == (1.0, 0.5)


def test_no_mean_without_a_value():
    """No number is made up."""
    with pytest.raises(ValueError, match=r"^m: no case has a score$"):
        _ = scores([Unscored("no grade")]).mean


@pytest.mark.parametrize(
    ("fields", "worst"),
    [
        ({}, 0.0),
        ({"higher_is_better": False}, 1.0),
        ({"bounds": (-1.0, 3.0)}, -1.0),
        ({"bounds": None, "kind": "unbounded"}, None),
    ],
)
def test_the_worst_value(fields, worst):
    """The bound on the bad side, none without bounds."""
    assert scores([0.5], **fields).worst == worst


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"values": (1.0,)}, "m: 2 ids but 1 values"),
        ({"clusters": ("x",)}, "m: 2 ids but 1 clusters"),
        ({"must_pass": ()}, "m: 2 ids but 0 must_pass"),
        ({"notes": ()}, "m: 2 ids but 0 notes"),
        ({"ids": ("a", "a")}, "m: case id 'a' occurs more than once"),
        ({"kind": "share"}, "m: kind='share'; expected 'binary', 'graded' or 'unbounded'"),
        ({"bounds": None}, "m: kind 'graded' needs bounds; without any the kind is 'unbounded'"),
        ({"bounds": None, "kind": "binary"}, "m: kind 'binary' needs bounds; without any the kind is 'unbounded'"),
        ({"bounds": (1.0, 0.0)}, r"m: bounds=\(1.0, 0.0\); expected the lowest and then the highest possible value"),
        ({"bounds": (0.0, NAN)}, r"m: bounds=\(0.0, nan\); expected the lowest and then the highest possible value"),
        ({"values": (1.0, NAN)}, r"m: case 'b' has the value NaN; give Unscored\(reason\) instead"),
        ({"values": (1.0, 1.5)}, r"m: case 'b' has the value 1.5, outside its bounds \[0.0, 1.0\]"),
        ({"values": (1.0, float("inf"))}, r"m: case 'b' has the value inf, outside its bounds \[0.0, 1.0\]"),
        (
            {"values": (1.0, 0.5), "kind": "binary"},
            r"m: case 'b' has the value 0.5; a binary score is one of \(0.0, 1.0\)",
        ),
    ],
)
def test_what_is_wrong_is_named(fields, message):
    """Metric, case, value and rule."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        Scores(**{"name": "m", "ids": ("a", "b"), "values": (1.0, 0.0)} | fields)


def test_a_binary_metric_over_several_trials():
    """The mean of trials is a rate."""
    assert scores([0.25, 1.0], kind="binary", trials=4).mean == 0.625


def test_no_cases():
    """A metric's description is Scores without cases."""
    assert scores([]).measured == ()


def test_the_difference_of_two_bases():
    """By field, this one's value first."""
    one, other = Basis(dataset="faq@1", prompt="p"), Basis(dataset="faq@2", prompt="p")

    assert one.differences(other) == {"dataset": ("faq@1", "faq@2")}
    assert one.differences(one) == {}


def test_scores_are_shown_without_their_cases():
    """Name, version, mean and how many; what has no score is counted apart."""
    scores = Scores("hits", ids=("a", "b", "c"), values=(1.0, 0.0, Unscored("no answer")), version="v2")

    assert repr(scores) == "<hits of v2: 0.5 over 2 cases, 1 unscored>"
    assert (
        repr(Scores("hits", ids=("a",), values=(Unscored("no answer"),))) == "<hits: no score over 0 cases, 1 unscored>"
    )


@pytest.mark.parametrize("compare", [operator.gt, operator.ge, operator.lt, operator.le])
def test_scores_are_not_compared_with_numbers(compare):
    """A mean says nothing without its interval; the message names the gate."""
    scores = Scores("hits", ids=("a", "b"), values=(1.0, 0.0))

    with pytest.raises(
        TypeError, match=r"^<hits: 0\.5 over 2 cases> compared with 0\.9; write assert_at_least\(scores"
    ):
        compare(scores, 0.9)
