"""Stop strings are found in a tail of few tokens, however the text is cut into tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.servers.engine.encoding import decode
from pytest_llmval.servers.engine.stopping import StopStrings


@pytest.fixture(scope="module")
def pieces() -> Any:
    """A tokenizer of bytes only, as SentencePiece falls back to for unknown characters; 256 is a special token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)}
    core = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens([AddedToken("<hidden>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=core)


HIDDEN = 256


def stops_after(stop: StopStrings, tokens: list[int]) -> tuple[int, str] | None:
    """Number of tokens at which an answer stops, and its text."""
    cuts = ((count, stop.cut(tokens[:count])) for count in range(1, len(tokens) + 1))
    return next(((count, text) for count, text in cuts if text is not None), None)


def looked_at_whole(tokenizer: Any, strings: tuple[str, ...], tokens: list[int]) -> tuple[int, str] | None:
    """The same by the whole text of every step: the oracle."""
    for count in range(1, len(tokens) + 1):
        text = decode(tokenizer, tokens[:count])
        places = [text.find(string) for string in strings if string in text]
        if places:
            return count, text[: min(places)]
    return None


@given(
    st.text("a東é🙂x\n", min_size=1, max_size=30),
    st.lists(st.text("a東é🙂x\n", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(0, 60), max_size=12),
)
def test_bytes(pieces: Any, text: str, strings: list[str], hidden: list[int]) -> None:
    """Characters in pieces and special tokens between them hide no stop string."""
    tokens = list(text.encode())
    for place in sorted(hidden):
        tokens.insert(min(place, len(tokens)), HIDDEN)

    found = stops_after(StopStrings(pieces, strings), tokens)

    # A special token within a character leaves two broken halves, which are the same text for both.
    assert found == looked_at_whole(pieces, tuple(strings), tokens)


@pytest.mark.parametrize("strings", [("cost",), ("ents a", "cost"), ("東", "café"), ("\n\n", ".", " ")])
def test_merged_tokens(engine: Any, strings: tuple[str, ...]) -> None:
    """A stop string may lie within a token, span several, or end inside one that goes on."""
    text = "late returns cost ten cents a day naïve café, 東京 and more\n\n."
    tokens = engine.tokenizer(text, add_special_tokens=False)["input_ids"]

    found = stops_after(StopStrings(engine.tokenizer, strings), tokens)

    assert found is not None
    assert found == looked_at_whole(engine.tokenizer, strings, tokens)


def test_only_a_tail_is_decoded(pieces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step looks at as many tokens as the stop string has bytes and four more, however long the answer is."""
    lengths: list[int] = []

    def watching(tokenizer: Any, ids: list[int]) -> str:
        lengths.append(len(ids))
        return decode(tokenizer, ids)

    monkeypatch.setattr("pytest_llmval.servers.engine.stopping.decode", watching)
    stop, tokens = StopStrings(pieces, ("stop",)), [*b"a" * 500, *b"stop"]

    found = stops_after(stop, tokens)

    assert found == (504, "a" * 500)
    assert lengths[-1] == 504
    assert max(lengths[:-1]) == len("stop") + 4
    assert len(lengths) == 505


def test_special_tokens_within_a_stop_string(pieces: Any) -> None:
    """Special tokens have no text, so any number of them may stand between the characters of a stop string."""
    tokens = [*b"as", *[HIDDEN] * 20, *b"top"]

    assert stops_after(StopStrings(pieces, ("stop",)), tokens) == (25, "a")
