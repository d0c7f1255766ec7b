"""Exact match and ROUGE-L."""

import sys

import pytest

from pytest_llmval import Response, Unscored, exact_match, rouge_l
from pytest_llmval.errors import SettingsError
from pytest_llmval.scoring.text import rouge


def of_pair(metric, reference, answer, responses_to):
    """The score of one answer."""
    (value,) = metric(responses_to(answer, cases={"reference": [reference]})).values
    return value


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
    ],
)
def test_exact_match(responses_to, reference, answer, score):
    """White space at both ends does not count, all else does."""
    assert of_pair(exact_match, reference, answer, responses_to) == score


@pytest.mark.parametrize("reference", [None, "", " \n"])
def test_exact_match_without_a_reference(responses_to, reference):
    """An empty answer to it is not right."""
    assert of_pair(exact_match, reference, "", responses_to) == Unscored("the case has no reference")


def test_exact_match_is_binary(responses_to):
    """The kind selects the interval."""
    scores = exact_match(responses_to("a", Response.failed("timeout"), cases={"reference": ["a", "b"]}))

    assert (scores.name, scores.kind, scores.bounds) == ("exact_match", "binary", (0.0, 1.0))
    assert scores.values == (1.0, Unscored("timeout", failed=True))


@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        # google-research, rouge/rouge_scorer_test.py: testRougeLConsecutive, testRougeLNonConsecutive, testRougeEmpty.
        ("testing one two", "testing one", 4 / 5),
        ("testing one two", "testing two", 4 / 5),
        ("testing one two", "testing", 1 / 2),
        ("testing one two", "", 0.0),
        # The README's pair: LCS `the quick brown jumps the` is 5 of 9 and 5 of 8 words; 2·5/(9+8) = 10/17.
        ("The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 10 / 17),
        # Another case and other punctuation are the same words; a stem is not.
        ("Testing, ONE two!", "testing one: two", 1.0),
        ("tests", "test", 0.0),
        (42, "The answer is 42", 2 / 5),
    ],
)
def test_rouge_l(responses_to, reference, answer, score):
    """F-measure 2·LCS/(words of both)."""
    assert of_pair(rouge_l, reference, answer, responses_to) == pytest.approx(score)


@pytest.mark.parametrize("reference", [None, ""])
def test_rouge_l_without_a_reference(responses_to, reference):
    """The case stays unscored."""
    assert of_pair(rouge_l, reference, "x", responses_to) == Unscored("the case has no reference")


@pytest.mark.parametrize("reference", ["東京", "Да.", "!?", "🙂", "  "])
def test_rouge_l_of_a_text_that_it_cannot_see(responses_to, reference):
    """It would be 0 for every answer of both versions, and two blind zeros look equivalent."""
    assert of_pair(rouge_l, reference, reference, responses_to) == Unscored(
        "the reference has no word of a to z or 0 to 9, and ROUGE sees nothing else"
    )


def test_rouge_l_is_graded(responses_to):
    """A share in [0, 1]."""
    scores = rouge_l(responses_to("a", cases={"reference": ["a b"]}))

    assert (scores.name, scores.kind, scores.bounds) == ("rouge_l", "graded", (0.0, 1.0))


def test_rouge_l_without_rouge_score(monkeypatch):
    """The command that helps is named."""
    rouge._scorer.cache_clear()
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)

    with pytest.raises(SettingsError, match=r"^rouge_l needs rouge-score: pip install pytest-llmval\[text\]$"):
        rouge_l([])
