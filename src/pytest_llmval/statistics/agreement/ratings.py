"""Labels that raters gave to items, as numbers to count with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

_FEWEST_ITEMS = 2
_FEWEST_RATERS = 2


@dataclass(frozen=True, slots=True)
class Ratings:
    """One label by each rater for each item."""

    categories: tuple[Hashable, ...]
    """All labels: as named, else in order of first appearance."""
    codes: NDArray[np.intp]
    """Place of each label in `categories` ``[items, raters]``."""

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many raters gave each label ``[items, categories]``."""
        given = self.codes[:, :, np.newaxis] == np.arange(len(self.categories))
        return np.asarray(given.sum(axis=1), dtype=np.intp)


def coded(rows: Sequence[Sequence[Hashable]], categories: Sequence[Hashable] | None = None) -> Ratings:
    """The ratings of items, each by the same number of raters.

    Args:
        rows: The labels of each item, one a rater.
        categories: All labels there are; None for those in use.

    Raises:
        ValueError: If there are fewer than two items or raters, items have different numbers of labels, a label is
            missing (None or NaN), or not among the categories.
    """
    check_items(len(rows))
    _check_raters(rows)
    found = tuple(dict.fromkeys(label for row in rows for label in row))
    names = found if categories is None else tuple(categories)
    _check_labels(found, names)
    places = {name: place for place, name in enumerate(names)}
    return Ratings(names, np.array([[places[label] for label in row] for row in rows], dtype=np.intp))


def is_missing(label: Hashable) -> bool:
    """Whether it stands for no label: None, or NaN, which is not even equal to itself.

    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    return label is None or (isinstance(label, float) and label != label)  # noqa: PLR0124 - NaN


def check_items(count: int) -> None:
    """Refuse fewer items than can show a spread.

    Raises:
        ValueError: If there are fewer than two.
    """
    if count < _FEWEST_ITEMS:
        msg = f"{count} items with two labels or more; agreement beyond chance needs at least {_FEWEST_ITEMS}"
        raise ValueError(msg)


def _check_raters(rows: Sequence[Sequence[Hashable]]) -> None:
    raters = len(rows[0])
    if raters < _FEWEST_RATERS:
        msg = f"item 0 has {raters} labels; agreement needs those of at least {_FEWEST_RATERS} raters"
        raise ValueError(msg)
    for place, row in enumerate(rows):
        if len(row) != raters or any(map(is_missing, row)):
            msg = (
                f"item {place} has the labels {list(row)!r:.60}; expected {raters}, as for item 0, and none missing: "
                "leave the item out, or use krippendorff_alpha"
            )
            raise ValueError(msg)


def _check_labels(found: Sequence[Hashable], names: Sequence[Hashable]) -> None:
    unknown = [label for label in found if label not in names]
    if unknown:
        msg = f"label {unknown[0]!r} is none of categories={list(names)!r:.80}; expected all that raters may give"
        raise ValueError(msg)
    if len(set(names)) != len(names):
        msg = f"categories={list(names)!r:.80} name a label twice; expected each once"
        raise ValueError(msg)
