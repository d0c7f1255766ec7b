"""Run: one pytest invocation. Its settings, the servers in use, the record store and what has happened so far."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.records.fingerprint import fingerprint
from pytest_llmval.records.recalling import Recollection
from pytest_llmval.records.store import LocalStore
from pytest_llmval.servers.opening import Servers, Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.asking import Block
    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.records.fingerprint import Fingerprint
    from pytest_llmval.records.record import Record
    from pytest_llmval.servers.broker.client import Line
    from pytest_llmval.servers.server import Server
    from pytest_llmval.settings import ModelSettings, Settings


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Run:
    """One pytest invocation as seen by one of its processes."""

    def __init__(
        self,
        settings: Settings,
        progress: Callable[[str, int, int], None],
        line: Line | None = None,
        selected: Callable[[CaseSet], set[str] | None] | None = None,
    ) -> None:
        """A run as seen by this process.

        Args:
            settings: All there is to know.
            progress: Told the label of a case set, and how many of how many requests are answered.
            line: To the process that holds the models of the run; without one they answer in this process.
            selected: Which cases of a set are needed, None for all; by default all are.
        """
        self.settings = settings
        self.store = LocalStore(settings.store)
        self.id = settings.run_id
        self.worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.blocks: dict[str, list[Record]] = {}
        """Blocks this process has read or computed, by their key."""
        self.plans: dict[tuple[int, str, int], list[Block]] = {}
        """Blocks of each case set, version and trial; a case set lives as long as the suite that made it."""
        self.progress = progress
        self.selected = selected or _all
        logs = str(self.store.run_folder(self.id))
        self._servers = Servers(Terms(settings.config.block, settings.budget, logs), line)
        self._fingerprints: dict[str, Fingerprint] = {}
        self._recollections: dict[str, Recollection] = {}
        self._events: list[dict[str, Any]] = []
        self._noted: set[str] = set()

    def server(self, model: ModelSettings) -> Server:
        """The server of a version, started on first use.

        Raises:
            CapabilityMissing: If no model may be asked in this run.
        """
        if self.settings.offline and not self.settings.plan:
            msg = f"--llmval-offline: no model is asked; of what tests ask {model.name}, llm.recorded alone is replayed"
            raise CapabilityMissing(msg)
        self.fingerprint(model)
        return self._servers.of(model)

    def started_server(self, model: ModelSettings) -> Server | None:
        """The server of a version, if it was started in this process."""
        return self._servers.started(model)

    def fingerprint(self, model: ModelSettings) -> Fingerprint:
        """The fingerprint of a version; nothing is loaded for it."""
        if model.name not in self._fingerprints:
            made = self._fingerprint(model)
            self._fingerprints[model.name] = made
            # Here and not where the server starts: a run that only replays starts none.
            self.note(model_event(model, made))
        return self._fingerprints[model.name]

    def _fingerprint(self, model: ModelSettings) -> Fingerprint:
        if model.is_recorded:
            return self.recollection(model).baseline.origin.fingerprint
        return fingerprint(model, None if self.settings.plan else self.store.hashes)

    def recollection(self, model: ModelSettings) -> Recollection:
        """The answers of a recorded baseline, read as they are asked for."""
        if model.name not in self._recollections:
            self._recollections[model.name] = Recollection(Path(model.model))
        return self._recollections[model.name]

    def note(self, event: dict[str, Any]) -> None:
        """Add an event; it travels with the next test report to the process that writes the shared files."""
        self._events.append(event)

    def note_once(self, name: str, event: Callable[[], dict[str, Any]]) -> None:
        """Add an event, made only now, unless one was added under this name: every case may come here."""
        if name not in self._noted:
            self._noted.add(name)
            self.note(event())

    def take_events(self) -> list[dict[str, Any]]:
        """The events since the last call, JSON values only."""
        taken, self._events = self._events, []
        return taken

    def close(self) -> None:
        """Stop the servers."""
        self._servers.close()


def _all(case_set: CaseSet) -> None:
    """Every case is needed."""


def model_event(model: ModelSettings, print_: Fingerprint) -> dict[str, Any]:
    """What the manifest says of a model version."""
    return {
        "event": "model",
        "version": model.name,
        "model": model.model,
        "same_weights_as": model.same_weights_as,
        "fingerprint": print_.digest,
        "parts": print_.parts,
    }
