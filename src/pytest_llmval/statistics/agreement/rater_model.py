"""Dawid and Skene's model: which labels are likely true, and how each rater errs, when nobody knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Chances = Mapping[Hashable, float]

_FEWEST_RATERS = 3
_LEAST_CHANCE = 1e-300  # keeps logarithms finite


@dataclass(frozen=True, slots=True)
class Rating:
    """A label that a rater gave to an item; the same rater may rate an item again."""

    item: Hashable
    rater: Hashable
    label: Hashable


@dataclass(frozen=True, slots=True)
class RaterModel:
    """The most likely explanation of ratings by raters who err independently of each other."""

    prevalence: Chances
    """Share of the items whose true label it is."""
    confusion: Mapping[Hashable, Mapping[Hashable, Chances]]
    """``confusion[rater][true][given]``: chance that the rater gives a label to an item of which `true` is true; all 0
    when the rater saw no such item."""
    posterior: Mapping[Hashable, Chances]
    """``posterior[item][label]``: chance that the label is the item's true one."""
    iterations: int
    has_converged: bool

    @property
    def likely(self) -> dict[Hashable, Hashable]:
        """The most likely label of each item."""
        return {item: max(chances, key=chances.__getitem__) for item, chances in self.posterior.items()}

    @property
    def doubtful(self) -> tuple[Hashable, ...]:
        """Labels that raters, on average, do not give most to items of which it is true.

        Names of labels come from the raters alone, so that the model may have exchanged two of them.
        """
        return tuple(label for label in self.prevalence if self._most_given(label) != label)

    def _most_given(self, true: Hashable) -> Hashable:
        return max(self.prevalence, key=lambda given: sum(rows[true][given] for rows in self.confusion.values()))


def dawid_skene(ratings: Iterable[Rating], *, tolerance: float = 1e-10, most_iterations: int = 10_000) -> RaterModel:
    """Estimate true labels and the raters' errors together, by expectation maximisation from the shares of votes.

    Args:
        ratings: All labels given; raters may leave items out. Some 50 items make it worth while.
        tolerance: Change of any chance below which it has converged.
        most_iterations: After which it stops, `has_converged` being false.

    Raises:
        ValueError: If there are fewer than three raters: what two say has more than one explanation.

    Source:
        A. P. Dawid, A. M. Skene, Appl. Stat. 28 (1979) 20.

    >>> votes = {"q1": "aab", "q2": "aaa", "q3": "bbb", "q4": "bba", "q5": "aab", "q6": "bbb"}
    >>> model = dawid_skene(Rating(item, rater, row[rater]) for item, row in votes.items() for rater in range(3))
    >>> model.likely["q1"], round(model.prevalence["a"], 2)
    ('a', 0.5)
    """
    known = list(ratings)
    items, raters, labels = (_names(getattr(each, field) for each in known) for field in ("item", "rater", "label"))
    if len(raters) < _FEWEST_RATERS:
        msg = f"raters={raters!r:.80}; expected at least {_FEWEST_RATERS}: what fewer say has several explanations"
        raise ValueError(msg)
    counts = _counts(known, items, raters, labels)
    chances = counts.sum(axis=1) / counts.sum(axis=(1, 2))[:, np.newaxis]
    change, iterations = np.inf, 0
    while change >= tolerance and iterations < most_iterations:
        before, iterations = chances, iterations + 1
        chances = _expected(counts, *_fitted(counts, before))
        change = float(np.abs(chances - before).max())
    prevalence, confusion = _fitted(counts, chances)
    return RaterModel(
        _named(labels, prevalence),
        {
            rater: dict(zip(labels, _rows(labels, rows), strict=True))
            for rater, rows in zip(raters, confusion, strict=True)
        },
        dict(zip(items, _rows(labels, chances), strict=True)),
        iterations,
        change < tolerance,
    )


def _names(values: Iterable[Hashable]) -> list[Hashable]:
    return list(dict.fromkeys(values))


def _counts(
    known: Sequence[Rating], items: Sequence[Hashable], raters: Sequence[Hashable], labels: Sequence[Hashable]
) -> Floats:
    """How often each rater gave each item each label ``[items, raters, labels]``."""
    item_at, rater_at, label_at = (
        {name: place for place, name in enumerate(names)} for names in (items, raters, labels)
    )
    counts = np.zeros((len(items), len(raters), len(labels)))
    for each in known:
        counts[item_at[each.item], rater_at[each.rater], label_at[each.label]] += 1
    return counts


def _fitted(counts: Floats, chances: Floats) -> tuple[Floats, Floats]:
    """Prevalence ``[true]`` and confusion ``[raters, true, given]``, given the chances of true labels (M step)."""
    given = np.einsum("it,irg->rtg", chances, counts)
    sums = given.sum(axis=2, keepdims=True)
    return chances.mean(axis=0), np.divide(given, sums, out=np.zeros_like(given), where=sums > 0)


def _expected(counts: Floats, prevalence: Floats, confusion: Floats) -> Floats:
    """Chances of the true labels ``[items, true]`` (E step)."""
    logs = np.log(np.maximum(prevalence, _LEAST_CHANCE))
    logs = logs + np.einsum("irg,rtg->it", counts, np.log(np.maximum(confusion, _LEAST_CHANCE)))
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=float)


def _rows(labels: Sequence[Hashable], rows: Floats) -> list[Chances]:
    return [_named(labels, row) for row in rows]


def _named(labels: Sequence[Hashable], chances: Floats) -> Chances:
    return dict(zip(labels, chances.tolist(), strict=True))
