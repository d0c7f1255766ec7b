"""Model output can neither steer a terminal, a CI log or a page, nor flood them."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.reports.safe_text import clip, gutter, neutralise

HOSTILE = st.text(
    st.sampled_from(list("#[]|avsotemciyATCHMENTPROPERTY\x1b\r\n\u200b\u202e\u2028\ufeff")) | st.characters(codec=None)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]8;;https://evil\x07link\x1b]8;;\x07", r"\x1b]8;;https://evil\x07link\x1b]8;;\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("over\rwritten", r"over\rwritten"),
        ("back\x08", r"back\x08"),
        ("\x00", r"\x00"),
        ("\x85", r"\x85"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028end\u2029", r"line\u2028end\u2029"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("\ud800", r"\ud800"),
        ("Grüße 東京 🙂 שלום", "Grüße 東京 🙂 שלום"),
        ("##[error]x", "# #[error]x"),
        ("x ##VSO[task.complete]", "x # #VSO[task.complete]"),
        ("##teamcity[message]", "# #teamcity[message]"),
        ("###[group]", "## #[group]"),
        ("[[ATTACHMENT|/etc/passwd]]", "[ [ATTACHMENT|/etc/passwd]]"),
        ("[[property|a=b]]", "[ [property|a=b]]"),
        ("## Heading [link]", "## Heading [link]"),
        ("[[1, 2], [3]]", "[[1, 2], [3]]"),
    ],
)
def test_what_is_shown(text, shown):
    """Orders are broken up or spelt out; what is harmless stays as it is."""
    assert neutralise(text) == shown


def test_a_hidden_character_does_not_hide_an_order():
    """Nor does cutting make one."""
    assert "##[" not in neutralise("#\u200b#[error]")
    assert "##[" not in neutralise("#" * 100 + "[error]" * 100, limit=10)


@given(HOSTILE, st.integers(0, 40))
@settings(deadline=None)
def test_no_text_gets_through(text, limit):
    """Whatever the model says and wherever it is cut."""
    shown = neutralise(text, limit)

    assert not re.search(r"##(\[|vso\[|teamcity\[)|\[\[(ATTACHMENT|PROPERTY)\|", shown, re.IGNORECASE)
    assert all(unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp") for each in shown if each not in "\n\t")
    assert not set("\u061c\u200b\u200e\u202e\u2066\ufeff").intersection(shown)
    assert neutralise(shown, len(shown)) == shown
    assert shown.encode().decode() == shown


@given(st.text(), st.integers(0, 50))
@settings(deadline=None)
def test_a_clipped_text_keeps_head_and_tail(text, limit):
    """No more than the limit of it, and the number of characters left out is right."""
    clipped = clip(text, limit)

    if len(text) <= limit:
        assert clipped == text
        return
    cut = re.search(r" \[(\d+) characters cut\] ", clipped[limit * 2 // 3 :])
    head, tail = clipped[: limit * 2 // 3], clipped[limit * 2 // 3 + cut.end() :]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) + int(cut[1]) == len(text)
    assert len(head) + len(tail) <= limit


def test_clip():
    """Two thirds from the front, one from the back."""
    assert clip("a" * 10 + "b" * 10, 9) == "aaaaaa [11 characters cut] bbb"
    assert clip("abc", 3) == "abc"


def test_a_gutter():
    """No line starts with what GitHub Actions reads as a command."""
    assert gutter("::error::x\n\n::add-mask::y") == "| ::error::x\n| \n| ::add-mask::y"
