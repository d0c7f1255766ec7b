"""Special strings of users: harmless on a sound path, named on one that lets them through."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.special_tokens import assert_special_tokens_policy


def chat_path(tokenizer, **options):
    """The path of an application: one user message through the chat template."""
    return lambda text: tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False, **options
    )


def test_the_tokenizer_by_itself_lets_them_through(v1):
    """The default of nearly every tokenizer; the message has the text, its code points and the advice."""
    with pytest.raises(ModelRegression) as raised:
        assert_special_tokens_policy(lambda text: v1(text)["input_ids"], v1)

    text = str(raised.value)
    assert text.startswith("user text becomes control tokens in ")
    assert "'<pad>' (U+003C U+0070 U+0061 U+0064 U+003E) gives control token '<pad>'" in text
    assert "split_special_tokens=True" in text


@pytest.mark.parametrize("options", [{"split_special_tokens": True}])
def test_a_path_that_splits_them(v1, options):
    """The BOS of the path itself is no injection."""
    report = assert_special_tokens_policy(lambda text: v1(text, **options)["input_ids"], v1)

    assert report.tried > 30
    assert report.refused == 0


def test_chat_paths(v1):
    """The template's own control tokens are no injection; the user's are, unless sanitised."""
    with pytest.raises(ModelRegression, match=r"gives control token '<\|user\|>'"):
        assert_special_tokens_policy(chat_path(v1), v1)
    assert assert_special_tokens_policy(chat_path(v1, sanitize_control_tokens=True), v1).passed


def test_a_path_that_refuses_them(v1):
    """Safe, and counted."""
    specials = v1.all_special_tokens

    def encode(text):
        if any(each in text for each in specials):
            raise ValueError("special token in user text")
        return v1(text)["input_ids"]

    report = assert_special_tokens_policy(encode, v1)

    assert 0 < report.refused < report.tried


def test_a_path_that_repairs_full_width_brackets_into_an_injection(v1):
    """A normalisation after the check: the parts of special strings that are tried find it."""
    specials = v1.all_special_tokens

    def encode(text):
        for each in specials:
            text = text.replace(each, "")
        return v1(text.replace("＜", "<").replace("＞", ">"))["input_ids"]

    with pytest.raises(ModelRegression, match="'＜s＞'"):
        assert_special_tokens_policy(encode, v1)


def test_a_path_that_loses_its_own_control_tokens(v1):
    """Text that removes the BOS."""

    def encode(text):
        return v1(text, add_special_tokens="<" not in text, split_special_tokens=True)["input_ids"]

    with pytest.raises(ModelRegression, match="removes '<s>'"):
        assert_special_tokens_policy(encode, v1)


def test_paths_of_which_nothing_can_be_said(v1):
    """Dead ones, ones that refuse everything, and tokenizers without special tokens."""
    with pytest.raises(InvalidComparison, match=r"encode gives \[1, 2\] for 'Hello' and for 'Some other words'"):
        assert_special_tokens_policy(lambda _: [1, 2], v1)
    with pytest.raises(InvalidComparison, match="encode refuses the ordinary text 'Hello': ZeroDivisionError"):
        assert_special_tokens_policy(lambda _: 1 // 0, v1)
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])))
    with pytest.raises(InvalidComparison, match="the tokenizer has no special tokens"):
        assert_special_tokens_policy(lambda _: [0], plain)
