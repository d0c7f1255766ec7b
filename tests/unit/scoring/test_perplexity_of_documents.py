"""Perplexity compares the mean negative logprob a token of each document."""

import math

import pytest

from pytest_llmval import Unscored, cases, perplexity
from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.scoring.score import Basis, CaseNote
from pytest_llmval.servers.exchange import DocumentLikelihood


class Scripted:
    """Gives each text the likelihood written down for it."""

    version = "v1"

    def __init__(self, **likelihoods):
        self.likelihoods = likelihoods

    def document_likelihood(self, texts):
        """In the order of the texts."""
        return [DocumentLikelihood(*self.likelihoods[text]) for text in texts]


def test_plain_texts():
    """6/3 = 2 and 2/4 = 0.5 nats a token; the ids are the texts' hashes."""
    scores = perplexity(Scripted(one=(-6.0, 3), two=(-2.0, 4)), ["one", "two"])

    assert scores.values == (2.0, 0.5)
    assert scores.ids == (content_hash("one")[:12], content_hash("two")[:12])
    assert (scores.unit, scores.higher_is_better, scores.bounds, scores.kind) == (
        "nats/token",
        False,
        None,
        "unbounded",
    )
    assert scores.notes == (CaseNote(prompt="one"), CaseNote(prompt="two"))
    assert scores.version == "v1"
    assert scores.basis == Basis(dataset=f"texts@{content_hash(['one', 'two'])[:8]}", metric="perplexity")


def test_a_case_set():
    """Its prompts are the documents; ids, clusters and hash are its own."""
    documents = cases([{"id": "a", "text": "one", "cluster": "x"}, {"id": "b", "text": "two"}], prompt="{text}")

    scores = perplexity(Scripted(one=(-6.0, 3), two=(-2.0, 4)), documents)

    assert (scores.ids, scores.clusters) == (("a", "b"), ("x", "b"))
    assert scores.basis.dataset == documents.label


def test_a_text_without_tokens():
    """There is nothing to score."""
    assert perplexity(Scripted(one=(0.0, 0)), ["one"]).values == (Unscored("the text has no tokens"),)


def test_a_broken_model():
    """NaN is no answer: it counts against a candidate. An impossible text has an infinite loss."""
    scores = perplexity(Scripted(one=(math.nan, 3), two=(-math.inf, 3)), ["one", "two"])

    assert scores.values == (Unscored("the model's log-likelihood of the text is NaN", failed=True), math.inf)


def test_two_equal_texts():
    """They are one measurement."""
    with pytest.raises(ValueError, match=r"^perplexity: case id '[0-9a-f]{12}' occurs more than once$"):
        perplexity(Scripted(one=(-6.0, 3)), ["one", "one"])


def test_one_text_is_no_list_of_texts():
    """Its letters would be documents."""
    with pytest.raises(TypeError, match="texts='Hi you': got one text; expected a list of texts"):
        perplexity(None, "Hi you")
