"""Texts as a message shows them: with the code points that print alike."""

from __future__ import annotations

_MOST = 12


def code_points(text: str, most: int = _MOST) -> str:
    """The code points of a text in hexadecimal.

    >>> code_points("e\u0301")
    'U+0065 U+0301'
    """
    shown = " ".join(f"U+{ord(each):04X}" for each in text[:most])
    return f"{shown} and {len(text) - most} more" if len(text) > most else shown


def shown(text: str, most: int = 40) -> str:
    """A text in quotes, cut where it is long, with its code points.

    >>> shown("a")
    "'a' (U+0061)"
    """
    if not text:
        return "the empty text"
    quoted = repr(text) if len(text) <= most else f"{text[:most]!r}… ({len(text)} characters)"
    return f"{quoted} ({code_points(text)})"


def around(text: str, at: int, *, before: int = 24, after: int = 24) -> str:
    """The part of a text about a place, in quotes.

    >>> around("abcdefgh", 4, before=2, after=2)
    "…'cdef'…"
    """
    start, end = max(0, at - before), at + after
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"
