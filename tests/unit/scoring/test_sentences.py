"""Sentences of a text: where one ends, and where it does not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.sentences import sentences_of


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("it opens at nine. it closes at five.", ["it opens at nine.", "it closes at five."]),
        ("Dr. Ray and Prof. Li met Mr. X.", ["Dr. Ray and Prof. Li met Mr. X."]),
        ("Pets, e.g. cats, i.e. Felis, are in.", ["Pets, e.g. cats, i.e. Felis, are in."]),
        ("It costs 2.50 euros. Or 3.", ["It costs 2.50 euros.", "Or 3."]),
        ("See https://a.example/b.html?q=1!x. Then go.", ["See https://a.example/b.html?q=1!x.", "Then go."]),
        ("J. K. Rowling is in the U.S. now.", ["J. K. Rowling is in the U.S. now."]),
        ("So do I. You too.", ["So do I.", "You too."]),
        ("Fees, fines etc. are paid at 9 p.m. daily.", ["Fees, fines etc. are paid at 9 p.m. daily."]),
        ("Open until 9 p.m. The bar is not.", ["Open until 9 p.m.", "The bar is not."]),
        ("No. 5 lives. No. It died.", ["No. 5 lives.", "No.", "It died."]),
        ('"Really?" she asked. "No!" He left.', ['"Really?" she asked.', '"No!"', "He left."]),
        ("Wait... what? Well… yes.", ["Wait... what?", "Well… yes."]),
        ("It opens (at nine.) It closes.", ["It opens (at nine.)", "It closes."]),
        ("It opens at nine.[1][2] It closes [3]. So.", ["It opens at nine.[1][2]", "It closes [3].", "So."]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("- one\n- two\n  more\n* three", ["- one", "- two\n  more", "* three"]),
        ("# Hours\nNine to\nfive.\n\nAnd so on", ["# Hours", "Nine to\nfive.", "And so on"]),
        ("東京は首都です。「人口は多い。」はい！", ["東京は首都です。", "「人口は多い。」", "はい！"]),
        ("Go!!! Now?! Yes", ["Go!!!", "Now?!", "Yes"]),
        ("v1.2.3 is out.", ["v1.2.3 is out."]),
        ("", []),
        (" \n\t", []),
        ("...", ["..."]),
        ("half \ud83d. done", ["half \ud83d.", "done"]),
    ],
)
def test_sentences(text, sentences):
    """A mark and white space end a sentence, apart from the exceptions that the docstring names."""
    assert list(sentences_of(text)) == sentences


@given(st.text(alphabet="aB1.!?…。 \n\t\"')[]-#*e\ud800", max_size=60))
def test_nothing_is_lost(text):
    """The sentences together hold every character but white space, in order."""
    assert "".join("".join(sentences_of(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "piece", ["a. ", "\n", ".", "[a", "x", ". [1 ", ".[a,", " ", "\n ", "\n#", ".'", ".[a]", "\n-", "1", "。”", "etc. "]
)
def test_a_megabyte(piece):
    """The time grows with the text and not with its square; 1 MB of any of these took under 1.5 s."""
    text = piece * (1_000_000 // len(piece))
    start = time.perf_counter()

    sentences_of(text)

    assert time.perf_counter() - start < 20
