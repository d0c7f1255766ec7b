"""The word diff: what both texts have, and what only one has."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.golden.word_diff import diff_text, share_changed, word_diff

TEXTS = st.text(st.characters(), max_size=40) | st.lists(
    st.sampled_from(["a", "b ", " ", "\n", "日", "é,", "x" * 50])
).map("".join)


def side(pieces, name):
    return "".join(piece.text for piece in pieces if piece.side in ("both", name))


@given(TEXTS, TEXTS)
def test_the_pieces_of_a_side_are_its_text(golden, actual):
    """Nothing is lost and nothing made up, whatever the texts."""
    pieces = word_diff(golden, actual)

    assert side(pieces, "golden") == golden
    assert side(pieces, "actual") == actual


@given(TEXTS, TEXTS)
def test_a_share_is_zero_for_equal_texts_alone(golden, actual):
    """And never more than one."""
    share = share_changed(golden, actual)

    assert 0 <= share <= 1
    assert (share == 0) == (golden == actual)


@pytest.mark.parametrize(
    ("golden", "actual", "shown"),
    [
        ("within 30 days.", "within 14 days.", "within [-30-]{+14+} days."),
        ("one two", "one", "one[- two-]"),
        ("", "new", "{+new+}"),
        ("a\nb", "a b", "[-a\\n-]{+a +}b"),
        ("東京都に住む", "京都に住む", "[-東-]京都に住む"),
    ],
)
def test_changes_are_marked_in_plain_text(golden, actual, shown):
    """Readable without colours."""
    assert diff_text(golden, actual) == shown


def test_control_characters_are_spelt_out():
    """A change of colour in an answer is no change of colour in the report."""
    text = diff_text("a\x1b[31m b", "a b")

    assert "\x1b" not in text
    assert "\\x1b" in text


def test_long_texts_are_cut_around_the_changes():
    """With how much was left out, so that nobody takes it for all."""
    golden = "word " * 1000 + "old" + " word" * 1000

    text = diff_text(golden, golden.replace("old", "new"))

    assert "[-old-]{+new+}" in text
    assert text.startswith("[... 4940 characters ...]")  # 1000 words of 5 characters, less 60
    assert text.endswith("[... 4940 characters ...]")
    assert len(text) < 250


def test_many_changes_are_counted():
    """Twelve are shown, a reader learns nothing from the hundredth."""
    golden = " ".join(f"same{i} old" for i in range(50))

    text = diff_text(golden, golden.replace("old", "new"))

    assert text.count("[-old-]") < 12
    assert text.endswith("more changes ...]")


@pytest.mark.parametrize("kind", ["everything", "one letter", "no blanks", "alternating"])
def test_a_megabyte_takes_a_moment(kind):
    """Aligning words takes time quadratic in them; beyond some thousand they are taken as one change."""
    golden, actual = {
        "everything": ("old words " * 100_000, "new text " * 110_000),
        "one letter": ("a " * 500_000, "a " * 250_000 + "b " + "a " * 250_000),
        "no blanks": ("x" * 1_000_000, "x" * 999_999 + "y"),
        "alternating": ("a b " * 500 + "c", "b a " * 499 + "d"),
    }[kind]
    start = time.perf_counter()

    text = diff_text(golden, actual)

    assert time.perf_counter() - start < 5
    assert len(text) < 4000
