"""The letter that a written answer gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.letters import given_letter, letter_accuracy


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        # Rule 1: stated, and the last one.
        ("The answer is B", "B"),
        ("The answer is: E.", "E"),
        ("Answer:\n**(B)** Paris", "B"),
        ("the correct option is b, Paris", "B"),
        ("The best choice would be D", "D"),
        (r"The answer is $\boxed{\text{C}}$.", "C"),
        ("The answer is A because it rains", "A"),
        ("I first thought the answer is A. But the answer is C.", "C"),
        ("A) is wrong. The answer is the letter D", "D"),
        # Rule 2: it opens the answer.
        ("B", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("**B**", "B"),
        ("b)", "B"),
        ("a", "A"),
        ("B) Paris", "B"),
        ("B: Paris", "B"),
        ("B, because pens write", "B"),
        ("B, C", None),
        ("B - Paris", "B"),
        ("A. Paris is right", "A"),
        ("Option B", "B"),
        ("A is correct", "A"),
        ("\n\nB\nBecause", "B"),
        # Rule 3: the only one in brackets or alone on a line.
        ("I think it is Paris (D).", "D"),
        ("So Paris it is:\nB\n", "B"),
        (r"Hence \boxed{B} holds", "B"),
        # None.
        ("", None),
        ("A dog is an animal", None),
        ("The answer is a dog", None),
        ("The answer is an apple", None),
        ("The answer is A or B", None),
        ("(A) or (B)", None),
        ("A, B and C are wrong", None),
        ("A. Paris\nB. Rome\nC. Oslo", None),
        ("Answer is not B", None),
        ("C++ is a language", None),
        ("The answer is C++", None),
        ("E.g. dogs", None),
        ("A-level", None),
        ("Because", None),
        ("C is a language", None),
        ("(A) fits, but so does (B)? Hmm, no idea", "A"),
        ("perhaps (A), perhaps (B)", None),
        ("F", None),
        ("\ud800", None),
    ],
)
def test_rules(answer, letter):
    """As the docstring says, one rule after the other."""
    assert given_letter(answer) == letter


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The answer is B", "B", 1.0),
        ("The answer is B", "(b)", 1.0),
        ("The answer is B", "C", 0.0),
        ("The answer is B", ["A", "B"], 1.0),
        ("no idea", "B", 0.0),
        ("", "B", 0.0),
    ],
)
def test_accuracy(score_of, answer, reference, score):
    """The letter is the reference; an answer without any is wrong."""
    assert score_of(letter_accuracy, answer, reference) == score


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (None, "the case has no reference"),
        ("Paris", "the reference 'Paris' is none of ABCDE"),
        ("F", "the reference 'F' is none of ABCDE"),
    ],
)
def test_a_reference_that_is_no_letter(score_of, reference, reason):
    """No answer can be right."""
    assert score_of(letter_accuracy, "B", reference) == Unscored(reason)


@given(
    letter=st.sampled_from("ABCDEFGHIJ"),
    form=st.sampled_from(["{}", "({})", "{}.", "**{}**", "The answer is {}", "Answer: ({})", "{}) x", "I say\n{}"]),
)
def test_every_letter_in_every_form(letter, form):
    """A and I are read like the others."""
    assert given_letter(form.format(letter), "ABCDEFGHIJ") == letter


@pytest.mark.parametrize(
    "answer", [" ", "\n", "B\n", "answer ", "answer is is ", "(B) ", "answer:\t\t", "A ", "\\boxed{", "B or "]
)
def test_a_megabyte(answer):
    """The time grows with the length of the answer, never with its square; a test takes less than a second."""
    assert given_letter("x" + answer * (1_000_000 // len(answer))) in (None, "B")


def test_versions(version_of, responses_to):
    """The letters are part of it."""
    assert version_of(letter_accuracy) == "1 letters=ABCDE"
    assert version_of(letter_accuracy, letters="AB") == "1 letters=AB"
    assert letter_accuracy(responses_to()).kind == "binary"


@pytest.mark.parametrize("letters", ["A", "ABA", "abc", "A1", "", 5])
def test_wrong_letters(responses_to, letters):
    """They are refused."""
    with pytest.raises(ValueError, match=r"^letters=") as caught:
        letter_accuracy(responses_to(), letters=letters)

    assert str(caught.value) == (f"letters={letters!r}; expected two or more different capital letters, such as 'ABCD'")
