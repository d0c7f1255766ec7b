"""Model output made safe to show: it can neither steer a terminal, a CI log or a page, nor flood them."""

from __future__ import annotations

import re
import unicodedata

FIELD_LIMIT = 2000
HIDDEN = re.compile("[\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
"""Zero-width characters, tags, other line ends, and what turns the direction of writing."""
COMMANDS = re.compile(r"##(?=\[|vso\[|teamcity\[)|\[\[(?=ATTACHMENT\||PROPERTY\|)", re.IGNORECASE)
"""What build servers take for an order wherever it stands in a line."""


def neutralise(text: str, limit: int = FIELD_LIMIT) -> str:
    r"""Text with control characters spelt out, commands of build servers broken up, and its middle cut when too long.

    >>> neutralise("a\x1b[31mred")
    'a\\x1b[31mred'
    """
    shown = "".join(_visible(character) for character in clip(text, limit))
    return COMMANDS.sub(lambda found: found[0][0] + " " + found[0][1:], HIDDEN.sub(_spelt, shown))


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"):
        return character
    return _escaped(character)


def _spelt(found: re.Match[str]) -> str:
    return _escaped(found[0])


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def clip(text: str, limit: int) -> str:
    """Head and tail of a text that is longer than the limit, with the number of characters left out."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]} [{len(text) - head - tail} characters cut] {text[len(text) - tail :]}"


def gutter(text: str) -> str:
    """Each line behind `| `, so that none of them starts with what a CI log reads as a command."""
    return "\n".join(f"| {line}" for line in text.split("\n"))
