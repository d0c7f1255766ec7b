"""Streams of text: complete and unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.streaming import assert_incremental_detok_equals_full
from pytest_llmval.strategies import texts

TEXT = "Zwölf 🙂 👩\u200d👧 漢字"


def windowed(tokenizer, *, flush=True, repeat=False):
    """A detokenizer as servers have it: it holds back what ends with U+FFFD."""

    def stream(ids):
        given_out = ""
        for end in range(1, len(ids) + 1):
            text = tokenizer.decode(ids[:end])
            if not text.endswith("\ufffd"):
                yield text if repeat else text[len(given_out) :]
                given_out = text
        if flush:
            yield tokenizer.decode(ids)[len(given_out) :]

    return stream


@settings(max_examples=40, derandomize=True)
@given(text=texts(), family=st.sampled_from(["byte-level", "llama-style", "word-piece", "unigram"]))
def test_streamed_text_is_the_full_text(families, text, family):
    """A law of ids that `encode` gives, for all four families."""
    tokenizer = families[family]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]

    if ids:
        assert assert_incremental_detok_equals_full(tokenizer, ids).agrees


def test_an_own_detokenizer(v1):
    """A function that yields pieces, compared with the tokenizer's full text."""
    ids = v1(TEXT, add_special_tokens=False)["input_ids"]

    assert assert_incremental_detok_equals_full(windowed(v1), ids, tokenizer=v1).actual == TEXT


def test_text_that_comes_twice_or_not_at_all(v1):
    """The place is shown on both sides."""
    ids = v1("ab 漢字 cd", add_special_tokens=False)["input_ids"]

    with pytest.raises(ModelRegression) as raised:
        assert_incremental_detok_equals_full(windowed(v1, repeat=True), ids, tokenizer=v1)

    assert str(raised.value).startswith("incremental decoding differs from full decoding: ")
    assert "they part at character 2" in str(raised.value)

    def lossy(ids):
        yield from (piece for piece in (v1.decode([each]) for each in ids) if "\ufffd" not in piece)

    with pytest.raises(ModelRegression, match=r"expected 'ab 漢字 cd' \(U\+6F22 U\+5B57 U\+0020 U\+0063\)"):
        assert_incremental_detok_equals_full(lossy, ids, tokenizer=v1)


def test_text_that_is_never_flushed(v1):
    """Whole characters held back are lost; half of one at the end is not."""
    ids = v1("a 漢字", add_special_tokens=False)["input_ids"]
    held = list(windowed(v1, flush=False)(ids[:-1]))

    assert "".join(held) == "a 漢"
    assert assert_incremental_detok_equals_full(windowed(v1, flush=False), ids[:-1], tokenizer=v1).agrees


def test_a_replacement_character_in_the_text_itself():
    """A stream cannot know whether it is half a character, and holds back the token it is in."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    first, second = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str('"\ufffd')[0][0][:2]
    vocabulary = {each: number for number, each in enumerate([*alphabet, first + second])}
    backend = Tokenizer(models.BPE(vocabulary, [(first, second)]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)

    found = assert_incremental_detok_equals_full(tokenizer, tokenizer('ab"\ufffd')["input_ids"])

    assert (found.actual, found.expected, found.complete) == ("ab", 'ab"\ufffd', 2)


def test_a_replacement_character_that_was_made_up(v1):
    """At the end as well."""
    ids = v1("ab", add_special_tokens=False)["input_ids"]

    with pytest.raises(ModelRegression, match="they part at character 2"):
        assert_incremental_detok_equals_full(lambda _: ["ab", "\ufffd"], ids, tokenizer=v1)


def test_no_ids(v1):
    """Nothing streamed is nothing shown."""
    with pytest.raises(InvalidComparison, match="no ids were given"):
        assert_incremental_detok_equals_full(v1, [])
