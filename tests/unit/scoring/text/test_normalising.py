"""Normalisations by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.exact import exact_match
from pytest_llmval.scoring.text.normalising import STEPS, normaliser


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        # evaluate-v1.1.py of SQuAD: lower, remove_punc, remove_articles, white_space_fix, in this order.
        ("The  Cat, the\tdog & a bird!", "cat dog bird"),
        ("an apple's core", "apples core"),
        # The hyphen is taken out before articles are looked for, so that this one is not seen.
        ("the-cat", "thecat"),
        ("A.", ""),
        ("Über the top", "über top"),
    ],
)
def test_squad(text, normal):
    """The order of the SQuAD script: lower case, punctuation, articles, white space."""
    assert normaliser("squad")(text) == normal


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"articles", "case", "punctuation"}))
@given(text=st.text())
def test_twice_is_once(name, text):
    """What is normal stays as it is."""
    once = normaliser(name)(text)

    assert normaliser(name)(once) == once


@given(text=st.text(), blanks=st.text(" \t\n"))
def test_white_space_at_the_ends(text, blanks):
    """It does not change what strip, whitespace and squad give."""
    for name in ("strip", "whitespace", "squad"):
        assert normaliser(name)(blanks + text + blanks) == normaliser(name)(text)


@pytest.mark.parametrize(
    ("normalise", "message"),
    [
        ("sqaud", "normalise='sqaud': 'sqaud' is unknown; did you mean 'squad'? known: 'articles', 'case', 'none', "),
        (("strip", "lower"), "normalise=('strip', 'lower'): 'lower' is unknown; known: 'articles', 'case', "),
    ],
)
def test_an_unknown_name(responses_to, normalise, message):
    """It is refused before anything is scored, with the nearest known one."""
    with pytest.raises(ValueError, match="is unknown") as caught:
        exact_match(responses_to(), normalise=normalise)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("normalise", [None, (), 5])
def test_what_is_no_name(responses_to, normalise):
    """The message says what is expected."""
    with pytest.raises(TypeError) as caught:
        exact_match(responses_to(), normalise=normalise)

    assert str(caught.value) == (
        f"normalise={normalise!r}; expected a name, a tuple of names, or a function from text to text"
    )


def test_a_function_that_gives_no_text(score_of):
    """It is named."""

    def words(text):
        return text.split()

    with pytest.raises(TypeError, match=r"^normalise=words [0-9a-f]{8}: gave \['a', 'b'\]; expected text$"):
        score_of(exact_match, "a b", "a b", normalise=words)


def test_too_many_combining_marks(score_of):
    """NFKC sorts them in time that grows with their square: a megabyte of them would take a quarter of an hour."""
    marks = "a" + "\u0338\u0327" * 500_000

    assert score_of(exact_match, marks, "a", normalise="unicode") == Unscored(
        "1,000,000 combining marks in a row, to be brought into the form NFKC; the limit is 5,000"
    )
    assert score_of(exact_match, "e\u0301" * 300_000, "é" * 300_000, normalise="unicode") == 1.0
