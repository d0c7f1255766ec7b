"""BLEU and chrF of all answers together, equal to sacrebleu."""

from itertools import zip_longest

import pytest
import sacrebleu

from pytest_llmval import Response
from pytest_llmval.scoring.text import corpus
from pytest_llmval.scoring.text.corpus import CorpusScore, corpus_bleu, corpus_chrf

# The example of sacrebleu's README, "Using SacreBLEU from Python".
SYSTEM = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
FIRST = ("The dog bit the man.", "It was not unexpected.", "The man bit him first.")
SECOND = ("The dog had bit the man.", "No one was surprised.", "The man had bitten the dog.")
BOTH = list(map(list, zip(FIRST, SECOND, strict=True)))


@pytest.mark.parametrize(
    ("answers", "options", "score"),
    [
        # sacrebleu, test/test_bleu.py, test_corpus_bleu_cases.
        (SYSTEM, {}, 48.530827),
        (("", "", ""), {}, 0.0),
        (SYSTEM, {"tokenize": "none"}, 49.1919566),
        (SYSTEM, {"tokenize": "intl"}, 43.91623493),
    ],
)
def test_published_bleu(responses_to, answers, options, score):
    """The README's example, as its tests have it."""
    found = corpus_bleu(responses_to(*answers, cases={"reference": BOTH}), **options)

    assert found.score == pytest.approx(score, abs=1e-6)


def test_published_chrf(responses_to):
    """The README prints chrF2 = 59.73."""
    assert round(corpus_chrf(responses_to(*SYSTEM, cases={"reference": BOTH})).score, 2) == 59.73


def test_what_it_says(responses_to):
    """Name, score, signature and how much of it there is, as data and as text."""
    found = corpus_bleu(responses_to(*SYSTEM, cases={"reference": BOTH}))

    signature = f"sacrebleu nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert found == CorpusScore("bleu", found.score, signature, cases=3, answers=3, version="v1")
    assert str(found) == f"bleu 48.53 over 3 answers to 3 cases; {signature}"


def test_another_number_of_references(responses_to):
    """The README's second example, where the first answer lacks a reference: nrefs:var, and sacrebleu's number."""
    references = [FIRST[0], *BOTH[1:]]
    columns = [[each if isinstance(each, str) else each[0] for each in references], [None, *SECOND[1:]]]

    found = corpus_chrf(responses_to(*SYSTEM, cases={"reference": references}), word_order=2)

    assert found.score == sacrebleu.corpus_chrf(SYSTEM, columns, word_order=2).score
    assert found.name == "chrf++"
    assert found.signature.startswith("sacrebleu nrefs:var|")


def test_what_is_left_out(responses_to):
    """Failed asks and cases without a reference are counted; every trial is an answer."""
    answers = ("a b", Response.failed("timeout"), "c", "c", "d", "d")
    found = corpus_bleu(responses_to(*answers, cases={"reference": ["a b", "c", None]}, trials=2))

    assert (found.cases, found.answers, found.failed, found.unscored) == (2, 3, 1, 2)
    assert " over 3 answers to 2 cases (left out: 1 failed, 2 without a reference); sacrebleu " in str(found)


@pytest.mark.parametrize("metric", [corpus_bleu, corpus_chrf])
def test_nothing_to_score(responses_to, metric):
    """No number is invented."""
    with pytest.raises(ValueError, match=f"^{metric.__name__}: no answered case has a reference$"):
        metric(responses_to("a", Response.failed("timeout"), cases={"reference": [None, "b"]}))


def test_responses_without_a_case():
    """They have no reference."""
    with pytest.raises(ValueError, match=r"^this response belongs to no case; score the fixtures `responses` and"):
        corpus_bleu([Response("a")])


@pytest.mark.parametrize(
    ("metric", "whole"), [(corpus_bleu, sacrebleu.corpus_bleu), (corpus_chrf, sacrebleu.corpus_chrf)]
)
def test_more_than_a_block(monkeypatch, responses_to, metric, whole):
    """Counting block by block changes no digit, also where a block has fewer references than another."""
    monkeypatch.setattr(corpus, "BLOCK", 2)
    references = [*BOTH[:1], *SECOND[:1], *BOTH[1:], *FIRST[1:]]
    answers = [SYSTEM[0], *SYSTEM, *SYSTEM[1:]]
    columns = list(zip_longest(*([each] if isinstance(each, str) else each for each in references)))

    assert metric(responses_to(*answers, cases={"reference": references})).score == whole(answers, columns).score
