"""Pairing: the cases of candidate and baseline side by side, each accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import CaseNote, Scores, Unscored
from pytest_llmval.verdicts.verdict import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Must-pass cases the baseline has a value for and the candidate was not scored on."""

    @property
    def answered(self) -> tuple[Pair, ...]:
        """The pairs with a value of the candidate's own."""
        return tuple(pair for pair in self.pairs if not pair.failure)


def pair_up(candidate: Scores, baseline: Scores) -> Pairing:
    """Candidate and baseline by case id, in the baseline's order.

    A case the candidate failed or lacks enters with the metric's worst bound. A case either side has no score for,
    or the baseline lacks, is left out. All of them are counted, each once.
    """
    ours, theirs = Column(candidate), Column(baseline)
    ids = tuple(dict.fromkeys(baseline.ids + candidate.ids))
    fates = {case_id: _fate(ours, theirs, case_id) for case_id in ids}
    pairs = tuple(_pair(ours, theirs, case_id) for case_id in ids if _enters(ours, theirs, case_id))
    lost = {fate: sum(each == fate for each in fates.values()) for fate in ("failed", "unscored", "missing")}
    return Pairing(pairs, Counts(len(ids), len(pairs), **lost), tuple(_unscored_must_pass(ours, theirs, ids)))


class Column:
    """Scores, looked up by case id."""

    def __init__(self, scores: Scores) -> None:
        """Remember the place of every id."""
        self.scores = scores
        self.places = {case_id: place for place, case_id in enumerate(scores.ids)}

    def value(self, case_id: str) -> float | Unscored:
        """The value, or why there is none."""
        return self.scores.values[self.places[case_id]] if case_id in self.places else _ABSENT

    def trials(self, case_id: str) -> tuple[float, ...]:
        """The values of a case's trials; none when it was asked once."""
        by_trial = self.scores.by_trial
        return () if by_trial is None or case_id not in self.places else by_trial[self.places[case_id]]

    def cluster(self, case_id: str) -> str | None:
        """The declared cluster, None when there is none."""
        clusters = self.scores.clusters
        return None if clusters is None or case_id not in self.places else clusters[self.places[case_id]]

    def weight(self, case_id: str) -> float | None:
        """The declared weight, None when there is none."""
        weights = self.scores.weights
        return None if weights is None or case_id not in self.places else weights[self.places[case_id]]

    def must_pass(self, case_id: str) -> bool:
        """Whether the case is flagged."""
        flags = self.scores.must_pass
        return flags is not None and case_id in self.places and flags[self.places[case_id]]

    def note(self, case_id: str) -> CaseNote:
        """The note for reports, empty when there is none."""
        notes = self.scores.notes
        return CaseNote() if notes is None or case_id not in self.places else notes[self.places[case_id]]


def _enters(ours: Column, theirs: Column, case_id: str) -> bool:
    value = ours.value(case_id)
    scored_or_failed = not isinstance(value, Unscored) or value.failed
    return scored_or_failed and not isinstance(theirs.value(case_id), Unscored)


def _fate(ours: Column, theirs: Column, case_id: str) -> str:
    """How a case was lost, empty when it was not."""
    if case_id not in ours.places or case_id not in theirs.places:
        return "missing"
    value = ours.value(case_id)
    if isinstance(value, Unscored) and _enters(ours, theirs, case_id):
        return "failed"
    return "" if _enters(ours, theirs, case_id) else "unscored"


def _pair(ours: Column, theirs: Column, case_id: str) -> Pair:
    value, baseline = ours.value(case_id), theirs.value(case_id)
    assert not isinstance(baseline, Unscored)  # noqa: S101 - `_enters` saw to it
    return Pair(
        id=case_id,
        candidate=ours.scores.worst if isinstance(value, Unscored) else float(value),
        baseline=float(baseline),
        failure=(value.reason or "failed") if isinstance(value, Unscored) else "",
        cluster=theirs.cluster(case_id) or ours.cluster(case_id) or case_id,
        must_pass=ours.must_pass(case_id) or theirs.must_pass(case_id),
        weight=1.0 if (weight := theirs.weight(case_id)) is None else weight,
    )


def _unscored_must_pass(ours: Column, theirs: Column, ids: tuple[str, ...]) -> Iterator[str]:
    for case_id in ids:
        value, flagged = ours.value(case_id), ours.must_pass(case_id) or theirs.must_pass(case_id)
        if flagged and isinstance(value, Unscored) and not value.failed:
            yield case_id
