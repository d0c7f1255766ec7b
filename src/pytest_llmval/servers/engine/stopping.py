"""Stop strings: found as soon as the token that completes one is there."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.engine.encoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLACK = 4
"""Tokens looked at beyond the longest stop string: what one character in pieces may take in UTF-8."""

BROKEN = "\N{REPLACEMENT CHARACTER}"


class StopStrings:
    """The stop strings of one request."""

    def __init__(self, tokenizer: Any, strings: Sequence[str]) -> None:
        """A stop string that is a special token (`<|im_end|>`) is invisible in text and becomes an end token."""
        added = tokenizer.added_tokens_decoder.items() if strings else ()
        special = {token.content: number for number, token in added if token.special}
        self.end_tokens = frozenset(number for text, number in special.items() if text in strings)
        self._invisible = frozenset(special.values())
        self._tokenizer = tokenizer
        self._strings = [text for text in strings if text not in special]
        # A token is at least a byte, so as many tokens as the string has bytes reach back to its start.
        self._reach = max((len(text.encode()) for text in self._strings), default=0) + SLACK

    def cut(self, tokens: Sequence[int]) -> str | None:
        """The text before the first stop string; None when there is none in the text of these tokens."""
        if not self._strings or all(self._first(text) is None for text in self._tails(tokens)):
            return None
        # A tail's text may differ at its edge from the whole text's, which decides.
        return self._first(decode(self._tokenizer, tokens))

    def _tails(self, tokens: Sequence[int]) -> Iterator[str]:
        """The text of the last tokens, as many as a stop string may take."""
        visible = (token for token in reversed(tokens) if token not in self._invisible)
        tail = list(islice(visible, self._reach))[::-1]
        # One that begins within a character is no text at all to tokenizers that fall back to bytes.
        for start in range(SLACK):
            yield (text := decode(self._tokenizer, tail[start:]))
            if not text.startswith(BROKEN):
                break

    def _first(self, text: str) -> str | None:
        places = [text.find(string) for string in self._strings if string in text]
        return text[: min(places)] if places else None
