"""ROUGE, equal to rouge-score."""

from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.rouge import rouge_1, rouge_2, rouge_l, rouge_lsum

KINDS = {rouge_1: "rouge1", rouge_2: "rouge2", rouge_l: "rougeL", rouge_lsum: "rougeLsum"}
WORDS = st.lists(st.sampled_from(["cats", "cat", "sat", "on", "the", "mats.", "\n", "É"]), min_size=1).map(" ".join)


@pytest.mark.parametrize(
    ("metric", "reference", "answer", "score"),
    [
        # google-research, rouge/rouge_scorer_test.py: testRouge1, testRouge2, testRougeLConsecutive,
        # testRougeLNonConsecutive, testMultipleRougeTypes, testRougeEmpty, testRougeLsum (0.4·0.8·2/(0.4+0.8)).
        (rouge_1, "testing one two", "testing", 1 / 2),
        (rouge_1, "testing one two", "testing one", 4 / 5),
        (rouge_2, "testing one two", "testing one", 2 / 3),
        (rouge_l, "testing one two", "testing one", 4 / 5),
        (rouge_l, "testing one two", "testing two", 4 / 5),
        (rouge_l, "testing one two", "testing", 1 / 2),
        (rouge_1, "testing one two", "", 0.0),
        (rouge_2, "testing one two", "", 0.0),
        (rouge_l, "testing one two", "", 0.0),
        (rouge_lsum, "testing one two", "", 0.0),
        (rouge_lsum, "w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", 0.64 / 1.2),
        (rouge_lsum, "w1 w2 w3 w4 w5", "/", 0.0),
        # The README's pair: LCS `the quick brown jumps the` is 5 of 9 and 5 of 8 words; 2·5/(9+8) = 10/17.
        (rouge_l, "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 10 / 17),
        # Shared are the, quick, brown, dog, jumps, the: 2·6/(9+8).
        (rouge_1, "The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 12 / 17),
        # Another case and other punctuation are the same words; a stem is not.
        (rouge_l, "Testing, ONE two!", "testing one: two", 1.0),
        (rouge_l, "tests", "test", 0.0),
        (rouge_l, 42, "The answer is 42", 2 / 5),
        # The best of several references; one that ROUGE cannot see is left out.
        (rouge_l, ["one", "testing two", "東京"], "testing two", 1.0),
    ],
)
def test_published_scores(score_of, metric, reference, answer, score):
    """The package's own tests, by hand where it has none."""
    assert score_of(metric, answer, reference) == pytest.approx(score)


@pytest.mark.parametrize("metric", KINDS)
@pytest.mark.parametrize("stemming", [False, True])
@settings(max_examples=30, deadline=None)
@given(answer=WORDS, reference=WORDS)
def test_equal_to_the_package(score_of, metric, stemming, answer, reference):
    """Bit for bit, with and without stemming."""
    scorer = RougeScorer([KINDS[metric]], use_stemmer=stemming)
    expected = scorer.score(reference, answer)[KINDS[metric]].fmeasure

    score = score_of(metric, answer, reference, stemming=stemming)

    assert isinstance(score, Unscored) or score == expected


@pytest.mark.parametrize("reference", [None, "", "  "])
def test_without_a_reference(score_of, reference):
    """The case stays unscored."""
    assert score_of(rouge_l, "x", reference) == Unscored("the case has no reference")


@pytest.mark.parametrize("reference", ["東京", "Да.", "!?", "🙂"])
@pytest.mark.parametrize("metric", KINDS)
def test_a_text_that_it_cannot_see(score_of, metric, reference):
    """It would be 0 for every answer of both versions, and two blind zeros look equivalent."""
    assert score_of(metric, reference, reference) == Unscored(
        "the reference has no word of a to z or 0 to 9, and ROUGE sees nothing else"
    )


@pytest.mark.parametrize("metric", KINDS)
def test_is_graded(responses_to, metric):
    """A share in [0, 1], named after its function."""
    scores = metric(responses_to("a", cases={"reference": ["a b"]}))

    assert (scores.name, scores.kind, scores.bounds) == (metric.__name__, "graded", (0.0, 1.0))


def test_versions(version_of):
    """The package's version, and stemming."""
    assert version_of(rouge_l) == f"rouge-score {version('rouge-score')}"
    assert version_of(rouge_l, stemming=True) == f"rouge-score {version('rouge-score')}, stemming"


@pytest.mark.parametrize(
    ("metric", "cells"),
    # 5000 · 2001 words; a line counts three words more: (5000+3) · (2001+3).
    [
        (rouge_l, "10,005,000 is the product of the words"),
        (rouge_lsum, "10,026,012 is the product of the words (a line for 3 more)"),
    ],
)
def test_too_long_for_a_common_subsequence(score_of, metric, cells):
    """The package fills a table of both lengths in Python."""
    assert score_of(metric, "word " * 5000, "word " * 2001) == Unscored(
        f"{cells} of answer and reference; the limit is 10,000,000"
    )


def test_long_lines_of_few_words(score_of):
    """Not the characters are counted, but the words."""
    assert score_of(rouge_l, "a" * 100_000, "a" * 100_000) == 1.0


def test_many_short_lines(score_of):
    """They are compared line by line, at a price of their own; empty ones cost nothing."""
    assert isinstance(score_of(rouge_lsum, "a\n" * 2000, "b\n" * 2000), Unscored)
    assert score_of(rouge_lsum, "\n" * 1_000_000, "b\n" * 2000) == 0.0
