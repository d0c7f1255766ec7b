"""Typos: letters swapped, doubled, dropped, or struck one key beside."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import Edit, Edits, quote
from pytest_llmval.case_sets.perturbing.relation import Relation, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WORD = re.compile(r"\w+")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {key: row[place + 1] if place + 1 < len(row) else row[-2] for row in _KEYS for place, key in enumerate(row)}
"""The key to the right on a QWERTY keyboard; at the end of a row, the one to the left."""
_SWAP, _DOUBLE, _DROP, _BESIDE_KEY = range(4)
_KINDS = 4


def typos(most: int = 1) -> Relation:
    """Slips of the hand: two letters swapped, one doubled, one dropped, or the key beside it (of a QWERTY keyboard).

    The first letter of a word stays, and so do words with a digit: amounts and codes are what a question is about.
    A word gets at most one typo.

    Args:
        most: Most typos in a question; each perturbation has between one and this many.

    >>> [edit.change for edit in typos().edits("my ox 42")][:4]
    ["'myy' for 'my'", "'m' for 'my'", "'mu' for 'my'", "'oxx' for 'ox'"]
    """
    return Relation("typos", _find, most, parameters=f"most={most}")


def _find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
    text = text_of("typos", value)
    words = [match.span() for match in _WORD.finditer(text) if match[0].isalpha()]
    starts = [start for start, _ in words]
    # Numbers, not edits: a text of a megabyte has millions.
    places = array("q", (code for span in words for code in _codes(text, *span)))

    def make(code: int) -> Edit:
        return _edit(text, words[bisect_right(starts, code // _KINDS) - 1], code)

    return Edits(places, make)


def _codes(text: str, start: int, end: int) -> Iterator[int]:
    """The typos of a word: the place of the letter times four, plus the kind."""
    for place in range(start + 1, end):
        code = place * _KINDS
        if place + 1 < end and text[place] != text[place + 1]:
            yield code + _SWAP
        yield code + _DOUBLE
        yield code + _DROP
        if text[place].lower() in _BESIDE:
            yield code + _BESIDE_KEY


def _edit(text: str, span: tuple[int, int], code: int) -> Edit:
    start, end = span
    place, kind = divmod(code, _KINDS)
    used, typed = _typed(text, place, kind)
    old, new = text[start:end], text[start:place] + typed + text[place + used : end]
    return Edit(span, new, f"{quote(new)} for {quote(old)}")


def _typed(text: str, place: int, kind: int) -> tuple[int, str]:
    """How many letters are typed wrongly, and what comes of it."""
    letter = text[place]
    if kind == _SWAP:
        return 2, text[place + 1] + letter
    if kind == _BESIDE_KEY:
        beside = _BESIDE[letter.lower()]
        return 1, beside.upper() if letter.isupper() else beside
    return 1, letter * 2 if kind == _DOUBLE else ""
