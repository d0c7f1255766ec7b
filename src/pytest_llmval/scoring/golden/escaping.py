"""Texts of models where people read them: whatever cannot be seen, or is no valid UTF-8, is spelt out."""

from __future__ import annotations

import json
import re
from typing import Any

# Written as escapes, since a reader of this file could not see them either. The joiners of Persian, Hindi and emoji
# (U+200C, U+200D) are no part of it: texts would be unreadable without them.
_INVISIBLE = "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_HIDDEN = re.compile(f"[{_INVISIBLE}\ud800-\udfff\U000e0000-\U000e007f]")
_HIDDEN_OR_CONTROL = re.compile(f"[\x00-\x09\x0b-\x1f{_INVISIBLE}\ud800-\udfff\U000e0000-\U000e007f]")
_PARTED_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_PIECE_ENDS = re.compile("(?<=\n)|(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


def visible(text: str) -> str:
    r"""A text with control characters, lone surrogates and invisible characters spelt out; line ends stay.

    >>> print(visible("a\x1b[31m b"))
    a\x1b[31m b
    """
    return _HIDDEN_OR_CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str, limit: int = 60) -> str:
    """A text as it is named within a sentence: quoted, on one line, cut when it is long."""
    shown = text if len(text) <= limit else f"{text[:limit]}..."
    return "'" + visible(shown).replace("\n", "\\n") + "'"


def json_text(value: Any) -> str:
    """A value as JSON on one line that is valid UTF-8: readable, save for what cannot be seen."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(value, ensure_ascii=False))


def lines_of(text: str) -> list[str]:
    r"""A text as the pieces that a file holds, one a line; joined they are the text.

    Two surrogates that are not one character are parted too, since JSON would read them as one.

    >>> lines_of("a\nb")
    ['a\n', 'b']
    """
    return [piece for piece in _PIECE_ENDS.split(text) if piece]


def as_value(text: str) -> str | list[str]:
    """A short text as a JSON value: itself, or its pieces where JSON would read another text."""
    return lines_of(text) if _PARTED_PAIR.search(text) else text


def joined(value: Any) -> str:
    """The text that `lines_of` or `as_value` gave.

    Raises:
        TypeError: If the value is neither a text nor a list of texts.
    """
    if not isinstance(value, str | list):
        msg = f"expected a text or a list of texts, got {value!r:.60}"
        raise TypeError(msg)
    return "".join(value)
