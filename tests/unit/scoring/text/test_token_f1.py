"""Token F1 as in SQuAD."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.overlap import token_f1

WORDS = st.lists(st.sampled_from(["cat", "dog", "The", "a", "sat", "mat."])).map(" ".join)


@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        ("Denver Broncos", "Denver Broncos", 1.0),
        # `the` falls away: 2 shared of 2 and 3 words, 2·2/(2+3).
        ("Denver Broncos", "the Denver Broncos team", 4 / 5),
        # 1 shared of 1 and 2.
        ("Denver Broncos", "broncos!", 2 / 3),
        ("Denver Broncos", "Carolina Panthers", 0.0),
        ("Denver Broncos", "", 0.0),
        # A word counts as often as both have it: 1 shared of 3 and 1.
        ("cat", "cat cat cat", 1 / 2),
        (["Denver Broncos", "Broncos"], "Broncos", 1.0),
        (42, "42", 1.0),
    ],
)
def test_token_f1(score_of, reference, answer, score):
    """2·shared/(words of both), after SQuAD's normalisation; the best of several references."""
    assert score_of(token_f1, answer, reference) == pytest.approx(score)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (None, "the case has no reference"),
        ("The!", "the reference is empty once normalised (normalise=squad)"),
    ],
)
def test_without_a_word_in_the_reference(score_of, reference, reason):
    """It would be 0 for every answer."""
    assert score_of(token_f1, "x", reference) == Unscored(reason)


@given(first=WORDS, second=WORDS)
def test_which_is_the_answer_does_not_count(score_of, first, second):
    """F1 is symmetric, and lies in [0, 1]."""
    there, back = score_of(token_f1, first, second), score_of(token_f1, second, first)

    assert isinstance(there, Unscored) or isinstance(back, Unscored) or 0 <= there == back <= 1


def test_versions(version_of):
    """The normalisation is part of it."""
    assert version_of(token_f1) == "normalise=squad"
    assert version_of(token_f1, normalise="whitespace") == "normalise=whitespace"
