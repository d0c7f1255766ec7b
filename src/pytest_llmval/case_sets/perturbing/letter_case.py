"""Letter case: the whole question in lower case, in capitals, or with each word capitalised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import Edit
from pytest_llmval.case_sets.perturbing.relation import Relation, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD = re.compile(r"\S+")


def letter_case() -> Relation:
    """The question in lower case, with Each Word Capitalised, and in UPPER CASE: at most three perturbations.

    >>> [edit.new for edit in letter_case().edits("Are you open?")]
    ['are you open?', 'Are You Open?', 'ARE YOU OPEN?']
    """
    return Relation("letter_case", _find)


def _find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
    text = text_of("letter_case", value)
    written = (
        (text.lower(), "in lower case"),
        (_WORD.sub(lambda word: word[0][:1].upper() + word[0][1:], text), "each word capitalised"),
        (text.upper(), "in upper case"),
    )
    return tuple(Edit(None, new, change) for new, change in written if new != text)
