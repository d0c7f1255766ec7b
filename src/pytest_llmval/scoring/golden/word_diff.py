"""Word diff: two texts as what both have, and what only one has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from pytest_llmval.scoring.golden.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# A word with the white space after it. Chinese, Japanese and Thai put none between words: there it is one character.
_WORD = re.compile(
    r"(?:[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{1,40}|[^\w\s])\s*|\s+"
)
_ALIGNED = 2000
"""Most words between the first and the last change that are aligned; aligning takes time quadratic in them."""
_CONTEXT, _CHANGE, _CHANGES = 60, 240, 12
"""Characters kept on each side of a change and of a change, and number of changes, in what is printed."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text."""

    side: Literal["both", "golden", "actual"]
    """Who has it."""
    text: str


def word_diff(golden: str, actual: str) -> tuple[Piece, ...]:
    """The pieces of two texts: those of `both` and of one side are, joined, the text of that side."""
    parts = _parts(golden, actual)
    pieces = [Piece("both", "".join(parts.start)), *_aligned(parts.golden, parts.actual)]
    pieces.append(Piece("both", "".join(parts.end)))
    return tuple(_merged(piece for piece in pieces if piece.text))


def share_changed(golden: str, actual: str) -> float:
    """How much of the longer text lies between the first and the last word that differ, in [0, 1]."""
    parts = _parts(golden, actual)
    changed = max(len(parts.golden), len(parts.actual))
    return changed / (len(parts.start) + changed + len(parts.end)) if changed else 0.0


def diff_text(golden: str, actual: str) -> str:
    """The word diff for a terminal without colours: `[-removed-]` and `{+added+}`, long stretches cut."""
    pieces = word_diff(golden, actual)
    changes = [place for place, piece in enumerate(pieces) if piece.side != "both"]
    if len(changes) <= _CHANGES:
        return "".join(_shown(pieces))
    cut = changes[_CHANGES]
    return "".join(_shown(pieces[:cut])) + f" [... {len(changes) - _CHANGES} more changes ...]"


@dataclass(frozen=True, slots=True)
class _Parts:
    """The words before the first change, between it and the last one on each side, and after that."""

    start: list[str]
    golden: list[str]
    actual: list[str]
    end: list[str]


def _parts(golden: str, actual: str) -> _Parts:
    theirs, ours = _WORD.findall(golden), _WORD.findall(actual)
    start = _common_start(theirs, ours)
    end = _common_start(theirs[start:][::-1], ours[start:][::-1])
    to, until = len(theirs) - end, len(ours) - end
    return _Parts(theirs[:start], theirs[start:to], ours[start:until], ours[until:])


def _common_start(left: Sequence[str], right: Sequence[str]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(left), len(right)))


def _aligned(golden: list[str], actual: list[str]) -> Iterator[Piece]:
    if max(len(golden), len(actual)) > _ALIGNED:
        yield from _replaced("".join(golden), "".join(actual))
        return
    for kind, begin, end, start, stop in SequenceMatcher(None, golden, actual).get_opcodes():
        if kind == "equal":
            yield Piece("both", "".join(golden[begin:end]))
        else:
            yield from _replaced("".join(golden[begin:end]), "".join(actual[start:stop]))


def _replaced(golden: str, actual: str) -> Iterator[Piece]:
    """What each side has, without the words that one of them ends with, and without the same white space after it."""
    start = _shared_start(golden, actual)
    yield Piece("both", golden[:start])
    golden, actual = golden[start:], actual[start:]
    blanks = golden[len(golden.rstrip()) :]
    shared = len(blanks) if golden and actual and actual[len(actual.rstrip()) :] == blanks else 0
    yield Piece("golden", golden[: len(golden) - shared])
    yield Piece("actual", actual[: len(actual) - shared])
    yield Piece("both", blanks[:shared])


def _shared_start(golden: str, actual: str) -> int:
    """Characters of the side that the other one begins with, when there is white space next; its last word has none."""
    shorter, longer = sorted((golden, actual), key=len)
    goes_on = len(longer) > len(shorter) and longer[len(shorter)].isspace()
    return len(shorter) if goes_on and longer.startswith(shorter) else 0


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, neighbours of both sides as one."""
    for side, group in groupby(pieces, attrgetter("side")):
        yield Piece(side, "".join(piece.text for piece in group))


def _shown(pieces: Sequence[Piece]) -> Iterator[str]:
    last = len(pieces) - 1
    for place, piece in enumerate(pieces):
        if piece.side == "both":
            yield _context(piece.text, is_first=place == 0, is_last=place == last)
        else:
            text = visible(_clipped(piece.text, _CHANGE, _CHANGE)).replace("\n", "\\n")
            yield f"[-{text}-]" if piece.side == "golden" else f"{{+{text}+}}"


def _context(text: str, *, is_first: bool, is_last: bool) -> str:
    return visible(_clipped(text, 0 if is_first else _CONTEXT, 0 if is_last else _CONTEXT))


def _clipped(text: str, head: int, tail: int) -> str:
    """Head and tail of a text that is longer than both, with the number of characters between them."""
    cut = len(text) - head - tail
    if cut <= _CONTEXT:  # to say so would take as much
        return text
    return f"{text[:head]}[... {cut} characters ...]{text[len(text) - tail :]}"
