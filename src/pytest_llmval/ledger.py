"""Ledger: what the one process that writes shared files knows of a run, gathered from the reports of all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.records.environment import describe_environment
from pytest_llmval.records.files import replace_file
from pytest_llmval.records.store import LocalStore
from pytest_llmval.reports.markdown import summary_markdown
from pytest_llmval.reports.summary import Asked, Gate, Summary
from pytest_llmval.run import now
from pytest_llmval.verdicts.evidence import verdict_from_dict

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from pytest_llmval.settings import Settings


class Ledger:
    """Takes the events of test reports; writes manifest, verdicts and summary."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = LocalStore(settings.store)
        self.summary = Summary(
            run_id=settings.run_id,
            candidate=settings.candidate.name if settings.candidate else "",
            baseline=settings.baseline.name if settings.baseline else None,
            strict=settings.strict,
        )
        self.written: list[Path] = []
        """Files for a reader to open, once the run is closed."""
        self._pending: dict[str, list[dict[str, Any]]] = {}
        """Verdicts of tests that have not ended: a rerun replaces them."""
        self._manifest: dict[str, Any] = {}

    def take(self, test: str, events: list[dict[str, Any]]) -> None:
        """Add the events of one report."""
        for event in events:
            if event["event"] == "verdict":
                self._pending.setdefault(test, []).append(event)
            else:
                self._take_fact(event)

    def _take_fact(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        facts = {name: value for name, value in event.items() if name != "event"}
        if kind == "asked":
            self._count(event)
            return
        if kind == "needed":
            self._asked(event["version"]).needed.add(f"{event['case_set']}/{event['case']}")
            return
        if kind == "whole_set":
            self._asked(event["version"]).whole_sets.add(event["case_set"])
            return
        if kind == "dataset":
            self._add_dataset(facts)
        self._note(kind, facts)

    def _asked(self, version: str) -> Asked:
        return self.summary.asked.setdefault(version, Asked())

    def _count(self, event: dict[str, Any]) -> None:
        asked = self._asked(event["version"])
        if event["replayed"]:
            asked.replayed += event["requests"]
        else:
            asked.measured += event["requests"]
        asked.failed += event["failed"]

    def _add_dataset(self, facts: dict[str, Any]) -> None:
        label = f"{facts['name']}@{facts['sha256'][:8]}"
        if label not in self.summary.datasets:
            self.summary.datasets.append(label)

    def _note(self, kind: str, facts: dict[str, Any]) -> None:
        """Put a fact into the manifest, which is on disk from the first fact on."""
        if not self._manifest:
            self._manifest = self._opening()
        known = self._manifest[f"{kind}s"]
        if facts not in known:
            known.append(facts)
            self.store.write_manifest(self.settings.run_id, self._manifest)

    def _opening(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "run_id": self.settings.run_id,
            "started_at": now(),
            "ended_at": None,
            "candidate": self.summary.candidate,
            "baseline": self.summary.baseline,
            "seed": self.settings.seed,
            "block": self.settings.config.block,
            "models": [],
            "datasets": [],
            "environment": describe_environment(),
        }

    def start_again(self, test: str) -> None:
        """Forget the verdicts of an attempt that a rerun replaces."""
        self._pending.pop(test, None)

    def end_test(self, test: str) -> None:
        """Keep the verdicts of a test that has ended."""
        for event in self._pending.pop(test, []):
            self.summary.gates.append(Gate(test, verdict_from_dict(event["verdict"])))
            if self._manifest:
                entry = {"test": test, "recorded_at": now(), **event["verdict"]}
                self.store.append(self.settings.run_id, "verdicts.jsonl", entry)

    def close(self, outcomes: Counter[str], failed_tests: set[str], *, is_complete: bool = True) -> None:
        """Complete the manifest and write the summary.

        Without a model nothing was recorded, and nothing is written; but a summary of an earlier run, which a reader
        would take for this one's, is always replaced.
        """
        self.summary.is_complete = is_complete
        for test in list(self._pending):
            self.end_test(test)
        self.summary.tests = outcomes
        self.summary.failed_tests = failed_tests
        if self._manifest:
            ended = {"ended_at": now(), "tests": dict(outcomes)}
            self.store.write_manifest(self.settings.run_id, self._manifest | ended)
        self._write_summary(self.settings.out / "summary.md")

    def _write_summary(self, path: Path) -> None:
        text = summary_markdown(self.summary)
        if self._manifest:
            replace_file(self.store.run_folder(self.settings.run_id) / "summary.md", text)
        if (self._manifest and self.summary.gates) or path.exists():
            replace_file(path, text)
            self.written.append(path)
