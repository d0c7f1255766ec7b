"""Two tokenizers: equal ones pass, the first difference is shown with the tokens about it."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.corpus import tokenizer_corpus
from pytest_llmval.scoring.tokens.tokenizer.equality import assert_tokenizers_equal, compare_tokenizers, window


def test_the_same_tokenizer_made_twice(v1, remade):
    """Over a thousand texts."""
    report = assert_tokenizers_equal(remade(lambda _: None), v1, vocab=False)

    assert report.texts > 1000
    assert str(report) == f"tokenizers agree on {report.texts} texts"


def test_a_changed_normaliser(v1, remade):
    """The shortest text, its code points, and up to 2 tokens before and 5 from the mismatch on, with their ids."""
    changed = remade(lambda data: data.update(normalizer={"type": "Lowercase"}))

    with pytest.raises(ModelRegression) as raised:
        assert_tokenizers_equal(changed, v1, ["one two", "my Order here"], vocab=False)

    assert str(raised.value).splitlines() == [
        "tokenizers differ: 1 of 2 texts have other ids (baseline -> candidate)",
        "  first 'O' (U+004F) differs from token 1 on",
        "    baseline  1 '<s>' 52 'O'",
        "    candidate 1 '<s>' 84 'o'",
    ]


def test_the_context_of_a_mismatch(v1):
    """Of the tokens before it two are shown, from it on five."""
    ids = v1("1234x56789")["input_ids"]

    assert window(v1, ids, 5) == ("24 '3'", "25 '4'", "93 'x'", "26 '5'", "27 '6'", "28 '7'", "29 '8'")
    assert window(v1, ids, 0) == ("1 '<s>'", "22 '1'", "23 '2'", "24 '3'", "25 '4'")


def test_a_lost_special_token(v1, remade):
    """In the vocabulary lines, and in the ids of the built-in corpus."""

    def lose(data):
        data["added_tokens"] = [each for each in data["added_tokens"] if each["content"] != "<|user|>"]

    with pytest.raises(ModelRegression) as raised:
        assert_tokenizers_equal(remade(lose), v1)

    text = str(raised.value)
    assert "special tokens: 1 lost, such as '<|user|>' (id 4; U+003C U+007C U+0075 U+0073 and 4 more)" in text
    assert "first '<|user|>'" in text
    assert "extra_special_tokens" not in text


def test_tokens_lost_new_and_moved(v1, remade):
    """Each kind is counted, the smallest ids named."""

    def shuffle(data):
        vocabulary = data["model"]["vocab"]
        vocabulary["Q"], vocabulary["Z"] = vocabulary["Z"], vocabulary["Q"]

    text = str(compare_tokenizers(remade(shuffle), v1, ["Quiz"]))

    assert "vocabulary: 2 with another id, such as 'Q' (id 54 -> 63; U+0051), 'Z' (id 63 -> 54; U+005A)" in text


def test_a_decoder_that_changed(v1, remade):
    """The same ids, another text."""
    changed = remade(lambda _: None)
    changed.backend_tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("a", "b")])

    report = compare_tokenizers(changed, v1, ["cat"], vocab=False)

    assert report.differing == 0
    assert "ids of 'cat' (U+0063 U+0061 U+0074) decode to '<s>cat' -> '<s>cbt'" in str(report)


def test_another_padding_side(v1, remade):
    """A setting that answers depend on."""
    changed = remade(lambda _: None)
    changed.padding_side = "left"

    assert "padding_side 'right' -> 'left'" in str(compare_tokenizers(changed, v1, ["a"]))


def test_a_corpus_without_text(v1):
    """Nothing compared never passes."""
    for corpus in ([], ["", ""]):
        with pytest.raises(InvalidComparison, match="corpus holds no text"):
            assert_tokenizers_equal(v1, v1, corpus)
    with pytest.raises(ValueError, match=r"corpus\[0\] '\\ud800' \(U\+D800\) holds half a surrogate pair"):
        assert_tokenizers_equal(v1, v1, ["\ud800"])


def test_an_empty_vocabulary_on_either_side(v1):
    """As for the contract."""
    empty = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))

    for sides in ((v1, empty), (empty, v1)):
        with pytest.raises(InvalidComparison, match="vocabulary is empty"):
            assert_tokenizers_equal(*sides)


def test_the_corpus_is_the_same_each_time_and_has_all_kinds(v1):
    """Edge cases, words, ASCII, apostrophes, special strings, and random texts by seed."""
    corpus = tokenizer_corpus(v1)

    assert corpus == tokenizer_corpus(v1)
    assert corpus != tokenizer_corpus(v1, seed=1)
    assert len(set(corpus)) == len(corpus)
    assert {"", "e\u0301", " ~ "[:2], "we'll", " <|user|> ", "<|user|", "🙂"} <= set(corpus)
    assert any(0x10000 <= ord(each) < 0x30000 for text in corpus for each in text)
    assert not any(0xD800 <= ord(each) < 0xE000 for text in corpus for each in text)
    assert json.dumps(corpus)
