"""What was spent on the answers to a case set, in a run or in those before it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_llmval.records.store import LocalStore

RUNS_LOOKED_AT = 50
"""The latest runs, among which an earlier measurement is looked for."""


@dataclass(slots=True)
class Spent:
    """What measured answers of one version to one case set took; choices and direct calls are counted as well."""

    version: str
    case_set: str
    """Label of the case set and of its prompt; empty for what tests asked themselves."""
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    """US dollars; None where some price is not known."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Count the answers of a block, or of a call."""
        self.requests += event["requests"]
        self.prompt_tokens += event["prompt_tokens"]
        self.completion_tokens += event["completion_tokens"]
        self.cost = None if self.cost is None or event["cost"] is None else self.cost + event["cost"]


@dataclass(slots=True)
class Spending:
    """All that a run spent, by version and case set."""

    parts: dict[tuple[str, str], Spent] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any], case_set: str) -> None:
        """Count an event of answers that were measured in this run."""
        version = event["version"]
        self.parts.setdefault((version, case_set), Spent(version, case_set)).add(event)

    def of(self, version: str) -> Spent:
        """All of a version."""
        whole = Spent(version, "")
        for part in self.parts.values():
            if part.version == version:
                whole.add(asdict(part))
        return whole

    def to_json(self) -> list[dict[str, Any]]:
        """As the manifest of a run has it."""
        return [asdict(part) for part in self.parts.values()]


def spent_in(manifest: Mapping[str, Any]) -> Iterator[Spent]:
    """What the manifest of a run says was spent; nothing for a run from before that was written down."""
    for part in manifest.get("spending", ()):
        yield Spent(**part)


def spent_before(store: LocalStore, version: str, case_set: str) -> Spent | None:
    """What the latest run spent that measured a case set: of the same version if there is one, else of any."""
    found = [part for part in _latest(store) if part.case_set == case_set and part.requests]
    return next((part for part in found if part.version == version), next(iter(found), None))


def _latest(store: LocalStore) -> Iterable[Spent]:
    for run in reversed(store.runs()[-RUNS_LOOKED_AT:]):
        try:
            yield from spent_in(store.read_manifest(run))
        except (StoreError, TypeError):  # another writer's, or half of one
            continue
