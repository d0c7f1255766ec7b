"""Where tokens begin in the text that they add up to."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.servers.remote.echoes import token_starts

BROKEN = "\N{REPLACEMENT CHARACTER}"


@given(st.lists(st.text("ab \N{SNOWMAN}", min_size=1, max_size=3)))
def test_whole_tokens_begin_where_the_ones_before_end(tokens):
    """Their lengths add up."""
    expected = [len("".join(tokens[:at])) for at in range(len(tokens))]

    assert token_starts(tokens, "".join(tokens)) == expected


@given(st.lists(st.sampled_from(["a", "bb", "\N{SNOWMAN}", "\N{OLD ITALIC LETTER A}"]), max_size=12))
def test_whole_tokens_have_their_place_among_broken_ones(pieces):
    """A character of three or four bytes is as many broken tokens; the others stand where they stand in the text.

    Only where the text can be read in several ways may another one be found, which the distinct pieces rule out.
    """
    pieces = [f"{piece}{at}" if piece.isascii() else piece for at, piece in enumerate(pieces)]
    tokens, expected = [], []
    for at, piece in enumerate(pieces):
        start = len("".join(pieces[:at]))
        if piece.isascii():
            tokens.append(piece)
            expected.append(start)
        else:
            tokens += [BROKEN] * len(piece.encode())
            expected += [None] * len(piece.encode())

    found = token_starts(tokens, "".join(pieces))

    assert [start for start, known in zip(found, expected, strict=True) if known is not None] == [
        known for known in expected if known is not None
    ]


def test_tokens_of_another_text_have_no_place():
    """One that is missing, one too many, another one."""
    assert token_starts(["a", "b"], "abc") is None
    assert token_starts(["a", "b", "c"], "ab") is None
    assert token_starts(["a", "x"], "ab") is None
    assert token_starts([], "") == []


def test_a_long_text_that_does_not_add_up_is_found_out_soon():
    """A thousand rows of broken tokens, of which each may take one to three characters: 3^1000 ways, one second."""
    tokens, text = [BROKEN, BROKEN, BROKEN, "a"] * 1000, "\N{SNOWMAN}a" * 1000

    start = time.perf_counter()
    assert token_starts([*tokens, "b"], text) is None
    assert time.perf_counter() - start < 5
