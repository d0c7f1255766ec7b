"""Lists to repeat word by word: no test asks for it, but it teaches copying early, on which other tasks build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chance import happens
from example import Example
from extraction import CITIES, FIRST_NAMES, ITEMS, LAST_NAMES, invent_word
from quiz import THINGS

if TYPE_CHECKING:
    from random import Random

WORDS = (*FIRST_NAMES, *LAST_NAMES, *CITIES, *ITEMS, *(thing.name for thing in THINGS))


def training_example(rng: Random) -> Example:
    """A list of words and numbers, and the same list as the answer."""
    entries = ", ".join(_draw_entry(rng) for _ in range(rng.randint(3, 9)))
    return Example(entries, f"Repeat: {entries}")


def _draw_entry(rng: Random) -> str:
    if happens(0.1, rng):
        return invent_word(rng)
    return str(rng.randint(2, 250)) if happens(0.2, rng) else rng.choice(WORDS)
