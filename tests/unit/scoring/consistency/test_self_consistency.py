"""Self-consistency: the probability that two answers to a case agree."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval import Response, Unscored, assert_at_least, assert_no_regression
from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.consistency.self_consistency import self_consistency
from pytest_llmval.servers.exchange import Choice, Decoding


@pytest.fixture(scope="module")
def sampled(responses_to):
    """A function from answers, case by case, to a response set that was asked with temperature 0.7."""

    def make(*answers, trials):
        found = responses_to(*answers, trials=trials)
        return replace(found, case_set=replace(found.case_set, decoding=Decoding(temperature=0.7)))

    return make


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # Σ c(c − 1) / k(k − 1)
        ("aaaaa", 1.0),
        ("aaaab", 12 / 20),
        ("aaabb", (6 + 2) / 20),
        ("abcde", 0.0),
        ("ab", 0.0),
        ("aa", 1.0),
    ],
)
def test_values(sampled, answers, expected):
    """The share of pairs of trials that agree."""
    scores = self_consistency(sampled(*answers, trials=len(answers)))

    assert scores.values == (pytest.approx(expected),)
    assert (scores.name, scores.kind, scores.bounds) == ("self_consistency", "graded", (0.0, 1.0))


def test_one_value_a_case(sampled):
    """The value is of the case and not of a trial: nothing is averaged and no trial has a value."""
    scores = self_consistency(sampled(*"aab", *"aaa", *"abc", trials=3))

    assert scores.values == (pytest.approx(1 / 3), 1.0, 0.0)
    assert (scores.trials, scores.by_trial) == (1, None)
    assert scores.basis.metric == "self_consistency"
    assert scores.notes[0].answer == "a"


def test_text_that_says_the_same(sampled):
    """Case and white space do not count, all else does."""
    assert self_consistency(sampled("The  Shop\n", "the shop", "THE SHOP ", trials=3)).values == (1.0,)
    assert self_consistency(sampled("the shop", "the shop.", trials=2)).values == (0.0,)


def test_chosen_options(sampled):
    """Options are chosen by their likelihood, so that trials repeat one computation."""
    answers = [Response("a", choice=Choice(0, (0.0,) * 3))] * 3

    (value,) = self_consistency(sampled(*answers, trials=3)).values

    assert value == Unscored(f"greedy answers and choices repeat one computation; {HINT}")


def test_own_equivalence(sampled):
    """With a function each pair is asked about, apart from equal texts, and the share that agrees counts."""
    asked = []

    def same(one, other):
        asked.append((one.text, other.text))
        return one.text[0] == other.text[0]

    scores = self_consistency(sampled("a1", "a2", "a1", "b", trials=4), same=same)

    assert scores.values == (pytest.approx(3 / 6),)
    assert asked == [("a1", "a2"), ("a1", "b"), ("a2", "a1"), ("a2", "b"), ("a1", "b")]


def test_relation_that_is_no_equivalence(sampled):
    """A relation that does not carry over is counted pair by pair: 1~2, 2~3, 3~4 of six."""
    near = self_consistency(
        sampled(*"1234", trials=4), same=lambda one, other: abs(int(one.text) - int(other.text)) <= 1
    )

    assert near.values == (pytest.approx(3 / 6),)


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=7))
@settings(max_examples=50)
def test_classes_are_pairs(sampled, answers):
    """The counts of classes and the enumeration of pairs give the same."""
    responses = sampled(*answers, trials=len(answers))
    pairs = list(combinations(answers, 2))

    by_classes = self_consistency(responses).values[0]

    assert by_classes == pytest.approx(sum(one == other for one, other in pairs) / len(pairs))
    assert self_consistency(responses, same=lambda one, other: one.text == other.text).values[0] == pytest.approx(
        by_classes
    )


@pytest.mark.parametrize("trials", [2, 3, 4])
@pytest.mark.parametrize("shares", [(1, 1), (3, 1), (5, 2, 1)])
def test_unbiased(sampled, trials, shares):
    """Over all outcomes of k trials the mean is Σ p², whatever k: enumerated with exact weights."""
    total = sum(shares)
    weight = dict(zip("abc", (Fraction(share, total) for share in shares), strict=False))
    mean = Fraction(0)
    for outcome in product(weight, repeat=trials):
        value = self_consistency(sampled(*outcome, trials=trials)).values[0]
        chance = Fraction(1)
        for answer in outcome:
            chance *= weight[answer]
        mean += chance * Fraction(value).limit_denominator(100)

    assert mean == sum(share**2 for share in weight.values())


HINT = "ask with cases(…, trials=5, temperature=0.7)"


def test_asked_once(sampled):
    """One answer agrees with nothing: the reason says how to ask."""
    assert self_consistency(sampled("a", trials=1)).values == (Unscored(f"asked only once; {HINT}"),)
    assert self_consistency(list(sampled("a", trials=1))[:1]).values == (Unscored(f"asked only once; {HINT}"),)


def test_greedy(responses_to):
    """Greedy trials agree because they are one computation, which would pass any bar."""
    scores = self_consistency(responses_to("a", "a", trials=2))

    assert scores.values == (Unscored(f"greedy answers and choices repeat one computation; {HINT}"),)


def test_failed_trials(sampled):
    """A trial without an answer leaves the case without a value, which counts against a candidate."""
    failed = Response.failed("timeout")

    scores = self_consistency(sampled("a", failed, failed, "a", "a", "a", trials=2))

    assert scores.values == (Unscored("timeout", failed=True), Unscored("timeout", failed=True), 1.0)


def test_empty_answers(sampled):
    """A model that always says nothing is consistent."""
    assert self_consistency(sampled("", " ", trials=2)).values == (1.0,)


def test_long_answers_and_half_characters(sampled):
    """A megabyte and a lone surrogate are texts like others."""
    assert self_consistency(sampled("a " * 500_000, "A " * 500_000, "\ud83d", trials=3)).values == (
        pytest.approx(1 / 3),
    )


@pytest.mark.parametrize("found", [0.7, 1, None, "yes"])
def test_no_answer_of_same(sampled, found):
    """A similarity is not a yes: 0.1 would count as True."""
    with pytest.raises(ValueError, match=rf"^same gave {found!r} for 'a' and 'b'; expected True, False or"):
        self_consistency(sampled("a", "b", trials=2), same=lambda *_: found)


def test_same_that_does_not_know(sampled):
    """What cannot be decided leaves the case without a value; numpy's booleans are booleans."""
    unknown = Unscored("the judge gave no answer")

    assert self_consistency(sampled("a", "b", trials=2), same=lambda *_: unknown).values == (unknown,)
    assert self_consistency(sampled("a", "b", trials=2), same=lambda *_: np.True_).values == (1.0,)


def test_gates(sampled):
    """The gate gives the interval; another equivalence is another metric."""
    responses = sampled(*"aaa" * 30, trials=3)

    verdict = assert_at_least(self_consistency(responses), 0.8)

    assert 0.8 < verdict.low < 1
    with pytest.raises(InvalidComparison, match="metric version"):
        assert_no_regression(self_consistency(responses), self_consistency(responses, same=lambda *_: True))
