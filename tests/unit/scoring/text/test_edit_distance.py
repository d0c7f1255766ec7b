"""Edit distance, equal to rapidfuzz."""

from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.edits import edit_distance

TEXTS = st.text("abc \ud800é", min_size=1).filter(str.strip)


@pytest.mark.parametrize(
    ("answer", "reference", "options", "score"),
    [
        # rapidfuzz's documentation: Levenshtein.distance("lewenstein", "levenshtein") is 2, of 11 characters.
        ("lewenstein", "levenshtein", {"normalised": False}, 2.0),
        ("lewenstein", "levenshtein", {}, 2 / 11),
        # The textbook pair: k→s, e→i, +g.
        ("kitten", "sitting", {"normalised": False}, 3.0),
        ("the cat sat", "the dog sat", {"of": "words", "normalised": False}, 1.0),
        ("the cat  sat", "the cat sat", {"of": "words"}, 0.0),
        ("the cat", "the dog sat", {"of": "words"}, 2 / 3),
        ("", "abc", {}, 1.0),
        ("", "abc", {"normalised": False}, 3.0),
        ("dog", ["cat", "dot", "cart"], {"normalised": False}, 1.0),
        ("42", 43, {}, 1 / 2),
    ],
)
def test_edit_distance(score_of, answer, reference, options, score):
    """Insertions, deletions and replacements of characters or words, to the nearest reference."""
    assert score_of(edit_distance, answer, reference, **options) == score


@given(answer=TEXTS, reference=TEXTS)
def test_equal_to_rapidfuzz(score_of, answer, reference):
    """Both distances, and the reference itself is at 0."""
    assert score_of(edit_distance, answer, reference) == Levenshtein.normalized_distance(answer, reference)
    assert score_of(edit_distance, answer, reference, normalised=False) == Levenshtein.distance(answer, reference)
    assert score_of(edit_distance, reference, reference) == 0


def test_direction(responses_to):
    """Lower is better; the worst is 1, or unknown when it is not normalised."""
    responses = responses_to("a", cases={"reference": ["b"]})
    share, count = edit_distance(responses), edit_distance(responses, of="words", normalised=False)

    assert (share.kind, share.bounds, share.unit, share.worst) == ("graded", (0.0, 1.0), "", 1.0)
    assert (count.kind, count.bounds, count.unit, count.worst) == ("unbounded", None, "words", None)
    assert not share.higher_is_better
    assert not count.higher_is_better


def test_without_a_reference(score_of):
    """The case stays unscored."""
    assert score_of(edit_distance, "x", None) == Unscored("the case has no reference")


def test_too_long(score_of):
    """The time grows with the product of both lengths."""
    assert score_of(edit_distance, "x" * 1_000_000, "y" * 20_001) == Unscored(
        "20,001,000,000 is the product of the characters of answer and reference; the limit is 20,000,000,000"
    )


def test_versions(version_of):
    """The library's version, and what is counted."""
    library = f"rapidfuzz {version('rapidfuzz')}"

    assert version_of(edit_distance) == f"{library}, characters, normalised"
    assert version_of(edit_distance, of="words", normalised=False) == f"{library}, words"


def test_an_unknown_part(responses_to):
    """It is refused."""
    with pytest.raises(ValueError, match=r"^of='word'; did you mean 'words'\? known: 'characters', 'words'$"):
        edit_distance(responses_to(), of="word")
