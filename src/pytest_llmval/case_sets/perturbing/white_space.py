"""White space: a blank more between words or around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import Edit, Edits, quote
from pytest_llmval.case_sets.perturbing.relation import Relation, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GAP = re.compile(r"(?<=\S)\s+(?=\S)")
_SHOWN = 30


def white_space(most: int = 1) -> Relation:
    """One blank more between two words, in front or at the end, or a line break at the end.

    Args:
        most: Most places with more white space; each perturbation has between one and this many.

    >>> [edit.change for edit in white_space().edits("Are you open?")][:2]
    ["a second blank after 'Are'", "a second blank after 'you'"]
    """
    return Relation("white_space", _find, most, parameters=f"most={most}")


def _find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
    text = text_of("white_space", value)
    if not text.strip():
        return ()
    end = len(text)
    around = (
        Edit((end, end), " ", "a blank at the end"),
        Edit((0, 0), " ", "a blank in front"),
        Edit((end, end), "\n", "a line break at the end"),
    )
    gaps = [match.span() for match in _GAP.finditer(text)]

    def make(place: int) -> Edit:
        return _widened(text, *gaps[place]) if place < len(gaps) else around[place - len(gaps)]

    return Edits(range(len(gaps) + len(around)), make)


def _widened(text: str, start: int, end: int) -> Edit:
    word = text[max(0, start - _SHOWN) : start].rsplit(maxsplit=1)[-1]
    return Edit((end, end), " ", f"a second blank after {quote(word)}")
