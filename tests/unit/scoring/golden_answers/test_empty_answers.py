"""Answers of which nothing, or next to nothing, is there to compare."""

from __future__ import annotations

import pytest

from pytest_llmval.fixtures.goldens.measures import measures_beside
from pytest_llmval.scoring.golden.answer import Answer, answer_of
from pytest_llmval.scoring.golden.judging import judge
from pytest_llmval.scoring.golden.tolerances import RougeL, SameText, SameTokens
from pytest_llmval.servers.exchange import Response


@pytest.fixture
def judged_for_real(tmp_path):
    """Gives what a tolerance says of two texts, by the measures that users have."""
    return lambda tolerance, golden, actual: judge(
        tolerance, answer_of(golden), answer_of(actual), measures_beside(tmp_path)
    )


@pytest.mark.parametrize(("golden", "actual"), [("The.", ""), ("", "a"), ("?", "the")])
def test_two_texts_of_which_a_normalisation_leaves_nothing_differ(judged_for_real, golden, actual):
    """`squad` takes articles and punctuation away: both sides are empty then."""
    found = judged_for_real(SameText("squad"), golden, actual)

    assert not found.passed
    assert found.rule == "not the same text after squad: nothing is left of either text, and they differ"


def test_a_text_of_which_a_normalisation_leaves_nothing_is_still_itself(judged_for_real):
    """And one of which something is left is compared by that."""
    assert judged_for_real(SameText("squad"), "The.", "The.").passed
    assert judged_for_real(SameText("squad"), "", "").passed
    assert judged_for_real(SameText("squad"), "The end.", "end").passed


@pytest.mark.parametrize(("golden", "actual"), [("", "an answer"), ("an answer", ""), (" \n", "an answer")])
def test_an_answer_beside_an_empty_one_is_a_plain_difference_by_rouge(judged_for_real, golden, actual):
    """ROUGE itself cannot tell without words in the reference."""
    found = judged_for_real(RougeL(0.5), golden, actual)

    assert (found.passed, found.is_undecided, found.rule) == (False, False, "ROUGE-L 0 < 0.5")


def test_two_empty_texts_are_the_same_by_rouge(judged_for_real):
    """Also where white space is all they have, which ROUGE does not see in other texts either."""
    assert judged_for_real(RougeL(1.0), "", "").passed
    assert judged_for_real(RougeL(1.0), "", "\n").passed


@pytest.mark.parametrize("tokens", [None, ()])
def test_two_empty_answers_have_the_same_tokens(judged, tokens):
    """A server gives no ids where nothing was generated."""
    empty = Answer("", "stop", tokens)

    assert judged(SameTokens(), empty, empty).passed
    assert judged(SameTokens(), answer_of(Response("")), answer_of(Response(""))).passed
    assert not judged(SameTokens(), empty, Answer("x", "stop")).passed
    assert judged(SameTokens(), Answer("x"), Answer("x")).is_undecided
