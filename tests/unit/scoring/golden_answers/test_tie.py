"""A tie: what is known of the first token that differs, and what it explains."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.golden.answer import Answer, Token
from pytest_llmval.scoring.golden.divergence import first_divergence
from pytest_llmval.scoring.golden.tolerances import UpToTie


def answer(*tokens):
    return Answer(text=str(tokens), tokens=tuple(tokens))


START = Token(1, "a", -0.1)


@pytest.mark.parametrize(
    ("golden", "actual", "is_tie"),
    [
        # Each side knows both tokens.
        (Token(5, "x", -0.7, ((5, -0.7), (6, -0.71))), Token(6, "y", -0.7, ((6, -0.7), (5, -0.72))), True),
        # One side knows both, the other one nothing.
        (Token(5, "x", -0.7, ((5, -0.7), (6, -0.71))), Token(6, "y"), True),
        (Token(5, "x"), Token(6, "y", -0.7, ((6, -0.7), (5, -0.71))), True),
        # One view contradicts the other: the version that answers now was sure of its token.
        (Token(5, "x", -0.7, ((5, -0.7), (6, -0.71))), Token(6, "y", -0.1, ((6, -0.1), (5, -2.5))), False),
        # ... and sure although the golden's token is not told: it is less probable than all that are.
        (Token(5, "x", -0.7, ((5, -0.7), (6, -0.71))), Token(6, "y", -0.1, ((6, -0.1), (7, -2.5))), False),
        # The other token is not told, and may be as probable as the last one told: nothing is known.
        (Token(5, "x", -0.7, ((5, -0.7), (7, -0.71))), Token(6, "y"), False),
        # Nothing is known of either side.
        (Token(5), Token(6), False),
    ],
)
def test_a_tie_is_explained_by_what_is_known_of_either_side(judged, golden, actual, is_tie):
    """In some view, and contradicted by none."""
    assert judged(UpToTie(0.05), answer(START, golden), answer(START, actual)).passed == is_tie


def test_an_answer_that_ends_where_the_other_goes_on_is_no_tie(judged):
    """Of the end nobody told the probability."""
    found = judged(UpToTie(9.0), answer(START, Token(5, "x", -0.7)), answer(START))

    assert found.rule == "no tie: one answer ends where the other goes on"


def test_what_follows_a_tie_is_not_compared(judged):
    """From there on the answers are of different beginnings."""
    golden = answer(Token(5, "x", -0.7, ((5, -0.7), (6, -0.7))), Token(1, "a"))

    assert judged(UpToTie(0.0), golden, answer(Token(6, "y"), Token(2, "b"), Token(3, "c"))).passed


def test_tokens_without_ids_diverge_by_their_texts():
    """As far as a server tells."""
    golden = answer(Token(None, "a", -1.0), Token(None, "b", -1.0))

    found = first_divergence(golden, answer(Token(None, "a", -2.0), Token(None, "c", -2.0)))

    assert found is not None
    assert (found.position, found.golden.text, found.actual.text) == (1, "b", "c")


def test_a_distance_that_is_known_from_below_says_so(judged):
    """The answer's version told two tokens, 2.4 nats apart; the golden's token is none of them, so further away."""
    golden, actual = Token(5, "x", -0.7, ((5, -0.7), (6, -0.71))), Token(6, "y", -0.1, ((6, -0.1), (7, -2.5)))

    found = judged(UpToTie(0.05), answer(START, golden), answer(START, actual))

    assert found.rule == "no tie: the two tokens are at least 2.4 nats apart > 0.05"
