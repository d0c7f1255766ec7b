"""Exact match and contains."""

import pytest

from pytest_llmval import Response, Unscored
from pytest_llmval.scoring.text.exact import contains, exact_match


@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        ("Yes.", "Yes.", 1.0),
        ("Yes.", " Yes.\n", 1.0),
        ("Yes.\n", "Yes.", 1.0),
        ("Yes.", "yes.", 0.0),
        ("Yes.", "Yes. And more.", 0.0),
        ("Yes.", "", 0.0),
        (42, "42", 1.0),
        ("e\u0301", "é", 0.0),
        (["Yes.", "Sure."], "Sure.", 1.0),
        (["Yes.", None, ""], "", 0.0),
    ],
)
def test_exact_match(score_of, reference, answer, score):
    """White space at both ends does not count, all else does; one of several references is enough."""
    assert score_of(exact_match, answer, reference) == score


@pytest.mark.parametrize("reference", [None, "", " \n", [], [None, " "]])
@pytest.mark.parametrize("metric", [exact_match, contains])
def test_without_a_reference(score_of, metric, reference):
    """An empty answer to it is not right."""
    assert score_of(metric, "", reference) == Unscored("the case has no reference")


@pytest.mark.parametrize(
    ("normalise", "reference", "answer", "score"),
    [
        ("none", "Yes", "Yes ", 0.0),
        ("whitespace", "New  York", " New\tYork", 1.0),
        ("strip", "New  York", " New\tYork", 0.0),
        ("case", "STRASSE", "straße", 1.0),
        ("punctuation", "its 5", "it's. 5!", 1.0),
        (("articles", "whitespace"), "The cat", "cat", 1.0),
        ("unicode", "e\u0301 ﬁ ４", "é fi 4", 1.0),
        ("squad", "the Eiffel Tower", "Eiffel tower.", 1.0),
        (("strip", "case"), "Yes", " yES ", 1.0),
        (lambda text: text[:1], "Yes", "Yep", 1.0),
    ],
)
def test_what_does_not_count(score_of, normalise, reference, answer, score):
    """Each normalisation lets its own difference pass, and `strip` only white space at the ends."""
    assert score_of(exact_match, answer, reference, normalise=normalise) == score


@pytest.mark.parametrize("metric", [exact_match, contains])
def test_a_reference_of_which_nothing_remains(score_of, metric):
    """`The` is nothing to SQuAD: an empty answer would be right, and every other answer would contain it."""
    assert score_of(metric, "", "The", normalise="squad") == Unscored(
        "the reference is empty once normalised (normalise=squad)"
    )


@pytest.mark.parametrize(
    ("reference", "answer", "normalise", "score"),
    [
        ("Paris", "It is Paris.", "none", 1.0),
        ("Paris", "It is paris.", "none", 0.0),
        ("Paris", "It is paris.", "case", 1.0),
        ("art", "party", "none", 1.0),
        (["Rome", "Paris"], "It is Paris.", "none", 1.0),
        ("Paris", "", "none", 0.0),
    ],
)
def test_contains(score_of, reference, answer, normalise, score):
    """The characters of any one reference occur in the answer."""
    assert score_of(contains, answer, reference, normalise=normalise) == score


@pytest.mark.parametrize("metric", [exact_match, contains])
def test_is_binary(responses_to, metric):
    """The kind selects the interval; a failed answer stays without a value."""
    scores = metric(responses_to("a", Response.failed("timeout"), cases={"reference": ["a", "b"]}))

    assert (scores.name, scores.kind, scores.bounds) == (metric.__name__, "binary", (0.0, 1.0))
    assert scores.values == (1.0, Unscored("timeout", failed=True))


def test_versions(version_of):
    """Another normalisation is another metric; a function of one's own is told by its source."""

    def first(text):
        return text[:1]

    assert version_of(exact_match) == "normalise=strip"
    assert version_of(contains) == "normalise=none"
    assert version_of(exact_match, normalise=("strip", "case")) == "normalise=strip+case"
    assert version_of(exact_match, normalise=first).startswith("normalise=first ")
    assert version_of(exact_match, normalise=first) != version_of(exact_match, normalise=lambda text: text[:2])
