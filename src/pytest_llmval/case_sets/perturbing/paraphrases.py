"""Paraphrases: the same question in other words, written by a person or a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.case_sets.perturbing.relation import Relation, list_from, whole_edits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llmval.case_sets.perturbing.edit import Edit


def paraphrases(source: str | Callable[[Mapping[str, Any]], object] = "paraphrases") -> Relation:
    """The question in the other words that its row has for it.

    Args:
        source: Field with a text or a list of texts, or a function from the row to texts. A row without the field
            has no paraphrase.

    Raises:
        TypeError: If it is neither.

    >>> row = {"question": "Are you open?", "paraphrases": ["Is the shop open?"]}
    >>> [edit.new for edit in paraphrases().edits(row["question"], row)]
    ['Is the shop open?']
    """
    given: object = source  # callers may not check types
    if not callable(given) and not isinstance(given, str):
        msg = f"paraphrases({given!r:.60}): expected the name of a field, or a function of the row"
        raise TypeError(msg)

    def find(value: Any, fields: Mapping[str, Any]) -> Sequence[Edit]:
        given = list_from(source(fields) if callable(source) else fields.get(source))
        if given is None or given == "":
            return ()
        return whole_edits("paraphrases", value, [given] if isinstance(given, str) else given)

    parameters = function_hash(source) if callable(source) else repr(source)
    return Relation("paraphrases", find, parameters=parameters)
