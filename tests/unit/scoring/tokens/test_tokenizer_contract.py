"""The contract of a tokenizer: it holds for sound ones of four families, and refuses what it cannot check."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.contract import assert_tokenizer_contract
from pytest_llmval.scoring.tokens.tokenizer.corpus import tokenizer_corpus

SHORT = 16_384
FEW = ["Hello there, Quincy", "a b", "e\u0301🙂", "two  spaces and more words of text"]


@pytest.mark.parametrize("family", ["byte-level", "llama-style", "word-piece", "unigram"])
def test_sound_tokenizers_of_four_families(families, family):
    """Everything universal holds over the whole corpus, and what was probed holds beyond the probes."""
    report = assert_tokenizer_contract(families[family], long_text=SHORT)

    assert report.passed
    assert len(report.checked) >= 16
    assert report.examples > 700


def test_the_example_model_with_a_text_of_a_million_characters(v1):
    """The default: about a thousand texts, and long ones up to 1 MB."""
    report = assert_tokenizer_contract(v1)

    assert str(report) == f"tokenizer: 21 invariants hold over {len(tokenizer_corpus(v1))} examples"


def test_a_decoder_that_rewrites_what_was_said(v1):
    """Streams would show text that later changes."""
    v1.backend_tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("a b", "X")])

    with pytest.raises(ModelRegression) as raised:
        assert_tokenizer_contract(v1, examples=["a bc", "what a bargain"], long_text=SHORT)

    assert "incremental decoding equals full decoding: " in str(raised.value)
    assert "decoded text only grows: " in str(raised.value)
    assert "example 'a b' (U+0061 U+0020 U+0062)" in str(raised.value)


def test_two_bos_of_the_tokenizer_itself(remade):
    """A post-processor that was applied twice."""

    def double(data):
        data["post_processor"]["single"].insert(0, data["post_processor"]["single"][0])

    with pytest.raises(ModelRegression, match="at most one BOS and one EOS are added: before a text stand") as raised:
        assert_tokenizer_contract(remade(double), examples=FEW, long_text=SHORT)

    assert "['<s>', '<s>']" in str(raised.value)


def test_the_tokenizer_is_left_as_it_was(v1):
    """Truncation and padding of the checks are off again on the Rust side as well."""
    assert_tokenizer_contract(v1, examples=FEW, long_text=SHORT)

    assert v1.backend_tokenizer.truncation is None
    assert v1.backend_tokenizer.padding is None


def test_truncation_and_padding_on_the_left(v1):
    """The rules follow the side that the tokenizer states."""
    v1.truncation_side = v1.padding_side = "left"

    assert assert_tokenizer_contract(v1, examples=FEW, long_text=SHORT).passed


def test_an_empty_vocabulary():
    """Nothing can be checked."""
    empty = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))

    with pytest.raises(InvalidComparison, match="the tokenizer's vocabulary is empty, so nothing can be checked"):
        assert_tokenizer_contract(empty)


def test_what_is_no_tokenizer_of_transformers(v1):
    """The library's own object is to be wrapped."""
    with pytest.raises(TypeError, match=r"'Tokenizer' object; expected .* wrap it: PreTrainedTokenizerFast\("):
        assert_tokenizer_contract(v1.backend_tokenizer)
    with pytest.raises(TypeError, match=r"'int' object; expected a tokenizer of transformers$"):
        assert_tokenizer_contract(3)


def test_examples_that_cannot_be_encoded(v1):
    """Each with its place and code points."""
    with pytest.raises(ValueError, match=r"examples\[1\] 'a\\ud83d' \(U\+0061 U\+D83D\) holds half a surrogate pair"):
        assert_tokenizer_contract(v1, examples=["fine", "a\ud83d"])
    with pytest.raises(InvalidComparison, match="examples holds no text, so nothing was compared"):
        assert_tokenizer_contract(v1, examples=["", ""])
    with pytest.raises(TypeError, match=r"examples\[0\]=b'bytes'; expected a text"):
        assert_tokenizer_contract(v1, examples=[b"bytes"])


def test_wrong_arguments(v1):
    """Words and lengths that mean nothing."""
    with pytest.raises(ValueError, match="profile='strict'; expected 'auto', a TokenizerProfile"):
        assert_tokenizer_contract(v1, profile="strict")
    with pytest.raises(ValueError, match="long_text=1000 characters; expected at least 16384"):
        assert_tokenizer_contract(v1, long_text=1000)
