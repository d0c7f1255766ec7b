"""Sentences of a text, by rules that need no model of a language."""

from __future__ import annotations

import re

END = re.compile(
    r"""
    (?: (?<![.!?…]) [.!?…]++           # marks, from the first of them: else a long row takes quadratic time
        (?: \[[\w,\ -]++\] )*+          # citations that are glued to it
        ["'”’»)\]]*+                    # what it stands within
        (?=\s)
      | [。！？]+ [”’」』）]*              # marks after which no space is left
    )
    """,
    re.VERBOSE,
)
PARAGRAPH = re.compile(r"\n(?=[^\S\n]*+(?:\n|(?:[-*•+]|\#++|\d++[.)])[^\S\n]))")
"""A line break before an empty line, an item of a list or a heading; others are breaks of long lines."""
_TITLES = "mr mrs ms dr prof st sr jr rev gen col capt lt sgt hon fig figs eq ref vol pp vs cf approx ca"
TITLES = frozenset(_TITLES.split())
"""Abbreviations that something always follows; compared in lower case, without the dot at the end."""
BEFORE_NUMBERS = frozenset({"no", "nr", "art", "sec", "ch", "p"})
INSIDE = frozenset({"e.g", "i.e", "etc", "al", "inc", "ltd", "co", "a.m", "p.m", "dept", "est"})
"""Abbreviations that a sentence may end with: it goes on when a small letter follows."""
ALWAYS_INSIDE = frozenset({"e.g", "i.e"})
INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")
LONGEST_WORD = 24
"""Letters before a dot that are looked at."""


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences in order, without the white space around them; none of a blank text.

    A dot within a number, an address or an abbreviation ends none; neither does the one after an initial or after the
    number of an item. Empty lines and list items part sentences, other line breaks do not. Where a capital follows
    "etc." or "p.m.", the sentence ends.

    >>> sentences_of("Dr. Ray pays 2.50 euros, e.g. at https://a.example/x.html. Is that all? Yes.")
    ('Dr. Ray pays 2.50 euros, e.g. at https://a.example/x.html.', 'Is that all?', 'Yes.')
    """
    paragraphs = filter(None, map(str.strip, PARAGRAPH.split(text)))
    found = (sentence for paragraph in paragraphs for part in _parts(paragraph) for sentence in _split(part))
    return tuple(filter(None, map(str.strip, found)))


def _parts(paragraph: str) -> tuple[str, ...]:
    """A heading, which ends with its line, apart from what follows."""
    heading, _, rest = paragraph.partition("\n")
    return (heading, rest) if paragraph.startswith("#") else (paragraph,)


def _split(paragraph: str) -> list[str]:
    starts = [0]
    for mark in END.finditer(paragraph):
        before = paragraph[max(starts[-1], mark.start() - LONGEST_WORD) : mark.start()]
        if not _goes_on(before, mark, paragraph):
            starts.append(mark.end())
    return [paragraph[start:end] for start, end in zip(starts, [*starts[1:], len(paragraph)], strict=True)]


def _goes_on(before: str, mark: re.Match[str], paragraph: str) -> bool:
    """Whether the sentence does not end at the mark; `before` is the end of what it has so far."""
    follows = paragraph[mark.end() : mark.end() + LONGEST_WORD].lstrip()[:1]
    if mark[0] != ".":
        return follows.islower() and (mark[0][0] == "…" or mark[0].startswith("..") or mark[0][-1] in "\"'”’»)")
    words = before.split()
    word = words[-1].lstrip("([\"'“‘«") if words else ""
    short = word.lower()
    if short in TITLES | ALWAYS_INSIDE or (short in INSIDE and follows.islower()):
        return True
    is_item = len(words) == 1 and word.isdecimal()
    return is_item or (short in BEFORE_NUMBERS and follows.isdecimal()) or _is_initial(word)


def _is_initial(word: str) -> bool:
    """Of a name or a country: `J`, `U.S`; not the pronoun."""
    return word != "I" and INITIALS.fullmatch(word) is not None
