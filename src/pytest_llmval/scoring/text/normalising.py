"""Normalising: what does not count when texts are compared, by name."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.errors import nearest
from pytest_llmval.scoring.text.limits import check_limit

Step = Callable[[str], str]
StepName = Literal["none", "strip", "whitespace", "case", "punctuation", "articles", "unicode", "squad"]
Normalise = StepName | tuple[StepName, ...] | Step

_ARTICLES = re.compile(r"\b(?:an?|the)\b", re.IGNORECASE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
LONGEST_RUN_OF_MARKS = 5000
"""Combining marks in a row: sorting them takes time that grows with their number squared."""


def without_articles(text: str) -> str:
    """Each of the words a, an and the becomes a blank."""
    return _ARTICLES.sub(" ", text)


def without_punctuation(text: str) -> str:
    """The 32 punctuation characters of ASCII taken out, as SQuAD does."""
    return text.translate(_NO_PUNCTUATION)


def one_blank(text: str) -> str:
    """Each run of white space becomes one blank, none at the ends."""
    return " ".join(text.split())


def compatible(text: str) -> str:
    """Unicode form NFKC: é in one or two characters, ﬁ and fi, ４ and 4 become the same.

    Raises:
        OverLimit: If more combining marks stand in a row than can be sorted in a moment.
    """
    if len(text) > LONGEST_RUN_OF_MARKS and not text.isascii():
        runs = groupby(text, lambda character: unicodedata.combining(character) > 0)
        longest = max((sum(1 for _ in run) for is_mark, run in runs if is_mark), default=0)
        check_limit(longest, LONGEST_RUN_OF_MARKS, "combining marks in a row, to be brought into the form NFKC")
    return unicodedata.normalize("NFKC", text)


def squad(text: str) -> str:
    """Lower case, then without punctuation, articles and white space that does not part words.

    Source:
        P. Rajpurkar and others, SQuAD: 100,000+ Questions for Machine Comprehension of Text (2016); evaluate-v1.1.py.
    """
    return one_blank(without_articles(without_punctuation(text.lower())))


STEPS: dict[str, Step] = {
    "none": str,
    "strip": str.strip,
    "whitespace": one_blank,
    "case": str.casefold,
    "punctuation": without_punctuation,
    "articles": without_articles,
    "unicode": compatible,
    "squad": squad,
}


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Steps that a text goes through before it is compared."""

    version: str
    """Names the steps; of a function of one's own also the hash of its source."""
    steps: tuple[Callable[[str], Any], ...]

    def __call__(self, text: str) -> str:
        """The text after all steps.

        Raises:
            TypeError: If a function of one's own gives something else than text.
        """
        for step in self.steps:
            result = step(text)
            if not isinstance(result, str):
                msg = f"{self.version}: gave {result!r:.80}; expected text"
                raise TypeError(msg)
            text = result
        return text


def normaliser(normalise: Normalise) -> Normaliser:
    """What `normalise=` stands for: a name, a tuple of names in their order, or a function from text to text.

    Raises:
        ValueError: If a name is unknown; the message lists the known ones.
        TypeError: If it is none of these.

    >>> normaliser(("case", "articles", "whitespace"))("The  CAT and a dog")
    'cat and dog'
    """
    if callable(normalise):
        name = getattr(normalise, "__name__", type(normalise).__name__)
        return Normaliser(f"normalise={name} {function_hash(normalise)}", (normalise,))
    names: object = (normalise,) if isinstance(normalise, str) else normalise
    if not isinstance(names, list | tuple) or not names:
        msg = f"normalise={normalise!r:.80}; expected a name, a tuple of names, or a function from text to text"
        raise TypeError(msg)
    for name in names:
        if name not in STEPS:
            msg = f"normalise={normalise!r:.80}: {name!r} is unknown; {nearest(str(name), STEPS)}"
            raise ValueError(msg)
    return Normaliser(f"normalise={'+'.join(names)}", tuple(STEPS[name] for name in names))
