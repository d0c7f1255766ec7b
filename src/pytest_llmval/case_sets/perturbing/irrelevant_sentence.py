"""Irrelevant sentence: something that has nothing to do with the question, before or after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import Edit, quote
from pytest_llmval.case_sets.perturbing.relation import Relation, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SENTENCES = (
    "The weather is nice today.",
    "My cat is asleep on the sofa.",
    "I had soup for lunch.",
    "A bicycle is leaning against the wall.",
)
"""Statements that no question is about, without numbers."""
_ENDINGS = frozenset(".?!:;…。？！")
_CLOSING = "\"'”’»›)]}」』）】"
"""What may stand between the mark that ends a sentence and the end of the text."""


def irrelevant_sentence(sentences: Sequence[str] = SENTENCES) -> Relation:
    """A sentence that has nothing to do with the question, after it or in front of it.

    A question that ends without a punctuation mark gets a full stop before the sentence that follows.

    Args:
        sentences: The sentences, or a single one.

    Raises:
        ValueError: If there is none, or one is empty.

    >>> [edit.change for edit in irrelevant_sentence("I had soup.").edits("Are you open?")]
    ["'I had soup.' at the end", "'I had soup.' in front"]
    """
    given: tuple[Any, ...] = (sentences,) if isinstance(sentences, str) else tuple(sentences)
    if not given or not all(isinstance(each, str) and each.strip() for each in given):
        msg = f"irrelevant_sentence({sentences!r:.80}): expected sentences, none of them empty"
        raise ValueError(msg)

    def find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
        text = text_of("irrelevant_sentence", value)
        return _around(text, given) if text.strip() else ()

    return Relation("irrelevant_sentence", find, parameters="" if given == SENTENCES else ", ".join(map(repr, given)))


def _around(text: str, sentences: Sequence[str]) -> tuple[Edit, ...]:
    end = len(text.rstrip())
    gap = " " if text[:end].rstrip(_CLOSING)[-1:] in _ENDINGS else ". "
    after = [Edit((end, end), gap + each, f"{quote(each)} at the end") for each in sentences]
    return (*after, *(Edit((0, 0), f"{each} ", f"{quote(each)} in front") for each in sentences))
