"""Support by words: how many of a claim's words stand together in the context."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.grounding.support import Support
from pytest_llmval.scoring.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.grounding.support import Claim

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]|[^\W_\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
"""A run of letters and digits; in scripts without spaces, each letter."""
_STOP_WORDS = """
a an the this that these those it its they them their he she his her we you your our i me my and or but if then so
as of to in on at by for from with into about is are was were be been being has have had do does did will would
can could may might shall should must there here which who whom whose what when where how also
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that say little. Those that deny are no such words."""


@dataclass(frozen=True, slots=True)
class _ByOverlap:
    at_least: float
    judge: str = ""
    version: str = "1"

    @property
    def name(self) -> str:
        return f"by_overlap(at_least={self.at_least:g})"

    def decide(self, claims: Sequence[Claim]) -> list[Support]:
        contexts = {passages: _Context(passages) for passages in dict.fromkeys(claim.passages for claim in claims)}
        return [self._support(claim.text, contexts[claim.passages]) for claim in claims]

    def _support(self, claim: str, context: _Context) -> Support:
        share, evidence = context.nearest(content_words(claim))
        return Support(claim, "supported" if share >= self.at_least else "not stated", evidence, share)


def by_overlap(at_least: float = 0.6) -> _ByOverlap:
    """A claim is supported when one place of the context has enough of its words.

    The place is a sentence of the context or two adjacent ones; words are compared in lower case, a few English ones
    that say little apart. It needs no model and always gives the same, and it is weak: other words for the same thing
    are missed, and a claim that turns the context around ("A beats B") is taken for supported. It finds what was made
    up from nothing, and never contradictions.

    Args:
        at_least: Share of the claim's words, in (0, 1].

    Raises:
        ValueError: If the share is out of range.
    """
    if not 0 < at_least <= 1:
        msg = f"by_overlap(at_least={at_least!r}): expected a share of the claim's words, in (0, 1]"
        raise ValueError(msg)
    return _ByOverlap(at_least)


def content_words(text: str) -> frozenset[str]:
    """The words that say something; all of them where none does."""
    words = frozenset(WORD.findall(text.casefold()))
    return words - STOP_WORDS or words


class _Context:
    """The places of a context, and in which of them each word stands."""

    def __init__(self, passages: tuple[str, ...]) -> None:
        self._passages = passages

    @cached_property
    def _places(self) -> list[str]:
        """Sentences first, so that of equal places the shorter is named."""
        passages = [sentences_of(passage) for passage in self._passages]
        single = [sentence for sentences in passages for sentence in sentences]
        return single + [f"{one} {other}" for sentences in passages for one, other in pairwise(sentences)]

    @cached_property
    def _standing(self) -> dict[str, np.ndarray]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, text in enumerate(self._places):
            for word in frozenset(WORD.findall(text.casefold())):
                found[word].append(place)
        return {word: np.array(places) for word, places in found.items()}

    def nearest(self, words: frozenset[str]) -> tuple[float, str]:
        """The largest share of the words that stand in one place, and that place; none where no word stands."""
        standing = [self._standing[word] for word in words if word in self._standing]
        if not standing:
            return 0.0, ""
        counts = np.bincount(np.concatenate(standing))
        place = int(counts.argmax())
        return float(counts[place] / len(words)), self._places[place]
