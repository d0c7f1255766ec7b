"""Stop strings: found as soon as the token that completes one is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.engine.encoding import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

SLACK = 4
"""Tokens looked at beyond the longest stop string: what one character in pieces may take in UTF-8."""


class StopStrings:
    """The stop strings of one request."""

    def __init__(self, tokenizer: Any, strings: Sequence[str]) -> None:
        """A stop string that is a special token (`<|im_end|>`) is invisible in text and becomes an end token."""
        added = tokenizer.added_tokens_decoder.items()
        special = {token.content: number for number, token in added if token.special and token.content in strings}
        self.end_tokens = frozenset(special.values())
        self._tokenizer = tokenizer
        self._strings = [text for text in strings if text not in special]
        # A token is at least a byte, so as many tokens as the string has bytes reach back to its start.
        self._reach = max((len(text.encode()) for text in self._strings), default=0) + SLACK

    def cut(self, tokens: Sequence[int]) -> str | None:
        """The text before the first stop string; None when there is none in the text of these tokens."""
        if not self._strings or self._first(tokens[-self._reach :]) is None:
            return None
        # The tail's text may differ at its edge from the whole text's, which decides.
        return self._first(tokens)

    def _first(self, tokens: Sequence[int]) -> str | None:
        text = decode(self._tokenizer, tokens)
        places = [text.find(string) for string in self._strings if string in text]
        return text[: min(places)] if places else None
