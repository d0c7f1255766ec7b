"""Hypothesis strategies of the changes that a relation can make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from pytest_llmval.case_sets.perturbing.edit import Edit
    from pytest_llmval.case_sets.perturbing.relation import Relation


def perturbed(value: Any, relation: Relation, fields: Mapping[str, Any] | None = None) -> SearchStrategy[Any]:
    """Values that a relation makes of one, shrinking towards fewer and earlier changes.

    Args:
        value: The text of a question, or what else the relation changes.
        relation: For example `typos(most=3)`.
        fields: The row the value stands in, for relations that look at it.

    Raises:
        DatasetError: If the relation does not change values of this type.
        ValueError: If it changes nothing in this one.
    """
    edits = relation.edits(value, fields)
    if not edits:
        msg = f"{relation} changes nothing in {value!r:.60}; expected a value in which there is something to change"
        raise ValueError(msg)
    return edits_together(edits, relation.most).map(lambda together: relation.apply(value, together))


def edits_together(edits: Sequence[Edit], most: int) -> SearchStrategy[tuple[Edit, ...]]:
    """Between one and `most` edits, shrinking towards fewer and earlier ones.

    Args:
        edits: All single edits, at least one.
        most: Most of them made at once, at least 1.
    """
    from hypothesis import strategies as st

    places = st.lists(st.integers(0, len(edits) - 1), min_size=1, max_size=min(most, len(edits)), unique=True)
    drawn: SearchStrategy[tuple[Edit, ...]] = places.map(lambda found: tuple(edits[place] for place in sorted(found)))
    return drawn
