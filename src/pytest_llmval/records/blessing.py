"""Blessing: the answers of a run as a recorded baseline keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import StoreError
from pytest_llmval.records.baseline import Answer, AnsweredSet, Origin, asked_hash
from pytest_llmval.records.response_set import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.records.record import Record
    from pytest_llmval.records.store import LocalStore


Position = tuple[int, int]
"""Where a case stands in its set: number of the block within a trial, and place in the block."""


def answered_sets(store: LocalStore, run_id: str, version: str) -> list[AnsweredSet]:
    """The answers of a version in a run, case set by case set.

    A case of which an answer failed is left out, as a comparison with the run itself would leave it out.

    Raises:
        StoreError: If the run has no answers of that version.
    """
    manifest = store.read_manifest(run_id)
    gathered: dict[Conditions, _Gathered] = {}
    for entry in manifest.get("case_sets", ()):
        if entry["version"] == version:
            conditions = Conditions(**entry["conditions"])
            records = _placed(store, run_id, entry["blocks"], math.ceil(entry["cases"] / manifest["block"]))
            gathered.setdefault(conditions, _Gathered(entry["cases"])).add(records)
    found = [each.answered(conditions) for conditions, each in gathered.items()]
    if not any(each.answers for each in found):
        msg = f"run {run_id} has no answers of version {version!r} to a case set; {_versions(store, run_id)}"
        raise StoreError(msg)
    return found


@dataclass
class _Gathered:
    """Records of one case set; plans of it that overlap, and those of single trials, are joined."""

    cases: int
    records: dict[tuple[str, int], Record] = field(default_factory=dict)
    """By case and trial."""
    places: dict[str, Position] = field(default_factory=dict)

    def add(self, placed: Iterator[tuple[Position, Record]]) -> None:
        for place, record in placed:
            self.records[record.case_id, record.trial] = record
            self.places[record.case_id] = min(place, self.places.get(record.case_id, place))

    def answered(self, conditions: Conditions) -> AnsweredSet:
        """The answers, in the order of the cases and then of their trials, whatever was asked first."""
        ordered = sorted(self.records, key=lambda name: (self.places[name[0]], *name))
        failed = dict.fromkeys(name[0] for name in ordered if self.records[name].response.error)
        kept = tuple(_answer(self.records[name]) for name in ordered if name[0] not in failed)
        return AnsweredSet(conditions, self.cases, kept, tuple(failed))


def _placed(
    store: LocalStore, run_id: str, blocks: list[str], blocks_per_trial: int
) -> Iterator[tuple[Position, Record]]:
    """The records of the blocks that were answered, each with the place of its case."""
    for number, block in enumerate(blocks):
        for place, record in enumerate(store.read_block(run_id, block) or ()):
            yield (number % blocks_per_trial, place), record


def _answer(record: Record) -> Answer:
    asked = asked_hash(record.request.prompt, record.request.choices)
    return Answer(record.case_id, record.trial, asked, record.response)


def _versions(store: LocalStore, run_id: str) -> str:
    versions = dict.fromkeys(entry["version"] for entry in store.read_manifest(run_id).get("case_sets", ()))
    return f"it has those of {', '.join(map(repr, versions))}" if versions else "it has none at all"


def origin_of(manifest: dict[str, Any], version: str, name: str, blessed_at: str) -> Origin:
    """Where the answers of a version come from, by the manifest of its run."""
    model = next(model for model in manifest["models"] if model["version"] == version)
    return Origin(
        name=name,
        run_id=manifest["run_id"],
        version=version,
        parts=model["parts"],
        seed=manifest["seed"],
        libraries=manifest["environment"]["libraries"],
        blessed_at=blessed_at,
    )
