"""Pairing: the cases of candidate and baseline side by side, each accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import or_
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pytest_llmval.scoring.score import CaseNote, Scores, Unscored
from pytest_llmval.verdicts.failed import best_of
from pytest_llmval.verdicts.verdict import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_ABSENT = Unscored("not asked", failed=True)


@dataclass(frozen=True, slots=True)
class Pair:
    """One case that the baseline has a value for."""

    id: str
    candidate: float | None
    """The worst bound when it failed; None when there is no bound, which makes the gate invalid."""
    baseline: float
    failure: str = ""
    """Why the candidate has no value of its own."""
    cluster: str = ""
    must_pass: bool = False
    weight: float = 1.0
    """What the case counts in a weighted mean."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What entered a comparison and what became of the rest."""

    pairs: tuple[Pair, ...]
    counts: Counts
    unscored_must_pass: tuple[str, ...] = ()
    """Must-pass cases that were left out, unless the candidate did as well as can be."""

    @property
    def answered(self) -> tuple[Pair, ...]:
        """The pairs with a value of the candidate's own."""
        return tuple(pair for pair in self.pairs if not pair.failure)


def pair_up(candidate: Scores, baseline: Scores) -> Pairing:
    """Candidate and baseline by case id, in the baseline's order.

    A case the candidate failed or lacks enters with the metric's worst bound. A case either side has no score for,
    or the baseline lacks, is left out. All of them are counted, each once.
    """
    rows, best = side_by_side(candidate, baseline), best_of(candidate)
    pairs = tuple([_pair(row, candidate.worst) for row in rows if row.enters])
    unseen = tuple(row.id for row in rows if row.must_pass and not row.enters and row.ours != best)
    return Pairing(pairs, _counts(rows, pairs, _missing(candidate, baseline)), unseen)


class Row(NamedTuple):
    """What both sides say about a case; a tuple, since there may be a million."""

    id: str
    ours: float | Unscored
    theirs: float | Unscored
    cluster: str
    must_pass: bool
    weight: float

    @property
    def enters(self) -> bool:
        """Whether the baseline has a value, and the candidate one or failed."""
        scored_or_failed = not isinstance(self.ours, Unscored) or self.ours.failed
        return scored_or_failed and not isinstance(self.theirs, Unscored)


def side_by_side(candidate: Scores, baseline: Scores) -> list[Row]:
    """All cases that either side has, in the baseline's order."""
    same = candidate.ids == baseline.ids
    ids = baseline.ids if same else tuple(dict.fromkeys(baseline.ids + candidate.ids))
    ours, theirs = Column(candidate), Column(baseline)
    columns = (
        ids,
        ours.aligned(candidate.values, ids, _ABSENT),
        theirs.aligned(baseline.values, ids, _ABSENT),
        _clusters(ours, theirs, ids),
        map(or_, *(each.aligned(each.scores.must_pass, ids, absent=False) for each in (ours, theirs))),
        theirs.aligned(baseline.weights, ids, 1.0),
    )
    return list(map(Row._make, zip(*columns, strict=True)))


class Column:
    """Scores, looked up by case id."""

    def __init__(self, scores: Scores) -> None:
        """Remember whose ids they are."""
        self.scores = scores

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of every id."""
        return {case_id: place for place, case_id in enumerate(self.scores.ids)}

    def aligned(self, column: Sequence[T] | None, ids: tuple[str, ...], absent: T) -> Sequence[T]:
        """A column in the order of ``ids``, with ``absent`` for a case that is not there."""
        if column is None:
            return (absent,) * len(ids)
        if ids == self.scores.ids:
            return column
        return [column[self.places[case_id]] if case_id in self.places else absent for case_id in ids]

    def value(self, case_id: str) -> float | Unscored:
        """The value, or why there is none."""
        found = self._cell(self.scores.values, case_id)
        return _ABSENT if found is None else found

    def trials(self, case_id: str) -> tuple[float, ...]:
        """The values of a case's trials; none when it was asked once."""
        return self._cell(self.scores.by_trial, case_id) or ()

    def cluster(self, case_id: str) -> str | None:
        """The declared cluster, None when there is none."""
        return self._cell(self.scores.clusters, case_id)

    def weight(self, case_id: str) -> float | None:
        """The declared weight, None when there is none."""
        return self._cell(self.scores.weights, case_id)

    def note(self, case_id: str) -> CaseNote:
        """The note for reports, empty when there is none."""
        return self._cell(self.scores.notes, case_id) or CaseNote()

    def _cell(self, column: Sequence[T] | None, case_id: str) -> T | None:
        return None if column is None or case_id not in self.places else column[self.places[case_id]]


def _missing(candidate: Scores, baseline: Scores) -> set[str]:
    """Cases that one side lacks."""
    return set() if candidate.ids == baseline.ids else set(candidate.ids) ^ set(baseline.ids)


def _counts(rows: Sequence[Row], pairs: Sequence[Pair], missing: set[str]) -> Counts:
    """What became of the cases; one that a side lacks is missing whatever else."""
    failed = sum(1 for pair in pairs if pair.failure and pair.id not in missing)
    unscored = sum(1 for row in rows if not row.enters and row.id not in missing)
    return Counts(len(rows), len(pairs), failed=failed, unscored=unscored, missing=len(missing))


def _clusters(ours: Column, theirs: Column, ids: tuple[str, ...]) -> Sequence[str]:
    """The declared clusters, the case itself where none is."""
    if ours.scores.clusters is None and theirs.scores.clusters is None:
        return ids
    declared = (each.aligned(each.scores.clusters, ids, "") for each in (theirs, ours))
    return [first or second or own for first, second, own in zip(*declared, ids, strict=True)]


def _pair(row: Row, worst: float | None) -> Pair:
    assert not isinstance(row.theirs, Unscored)  # noqa: S101 - the row enters
    if isinstance(row.ours, Unscored):
        value, failure = worst, row.ours.reason or "failed"
    else:
        value, failure = float(row.ours), ""
    return Pair(row.id, value, float(row.theirs), failure, row.cluster, row.must_pass, row.weight)
