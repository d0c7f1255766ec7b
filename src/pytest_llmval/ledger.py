"""Ledger: what the one process that writes shared files knows of a run, gathered from the reports of all workers."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import StoreError
from pytest_llmval.records.baseline import origin_text
from pytest_llmval.records.environment import describe_environment
from pytest_llmval.records.files import replace_file
from pytest_llmval.records.spending import Spending
from pytest_llmval.records.store import VERDICTS, LocalStore
from pytest_llmval.reports.markdown import summary_markdown
from pytest_llmval.reports.results import Ending, results_json
from pytest_llmval.reports.summary import Asked, Gate, Summary
from pytest_llmval.run import now
from pytest_llmval.verdicts.evidence import verdict_from_dict

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from pytest_llmval.settings import Settings

SUMMARY = "summary.md"
RESULTS = "results.json"


class Ledger:
    """Takes the events of test reports; writes manifest, verdicts, summary and results."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = LocalStore(settings.store)
        self.summary = Summary(
            run_id=settings.run_id,
            candidate=settings.candidate.name if settings.candidate else "",
            baseline=settings.baseline.name if settings.baseline else None,
            strict=settings.strict,
            baseline_origin=origin_text(settings.baseline),
        )
        self.written: list[Path] = []
        """Files for a reader to open, once the run is closed."""
        self.unwritten: list[str] = []
        """Why a file could not be written; the verdicts stand all the same, and the terminal tells them."""
        self._pending: dict[str, list[dict[str, Any]]] = {}
        """Verdicts of tests that have not ended: a rerun replaces them."""
        self._manifest: dict[str, Any] = {}
        self._blocks: set[str] = set()
        """Blocks whose answers are counted."""
        self.spending = Spending()
        self._recalled: set[tuple[str, str, int]] = set()
        """Case set, case and trial of each answer that was taken from a recorded baseline."""

    def take(self, test: str, events: list[dict[str, Any]]) -> None:
        """Add the events of one report."""
        for event in events:
            if event["event"] == "verdict":
                self._pending.setdefault(test, []).append(event)
            else:
                self._take_fact(event)

    def _take_fact(self, event: dict[str, Any]) -> None:
        takers = {
            "asked": self._count,
            "recalled": self._count_recalled,
            "called": self._count_calls,
            "needed": self._add_needed,
            "whole_set": self._add_whole_set,
            "death": self._add_deaths,
        }
        if event["event"] in takers:
            takers[event["event"]](event)
            return
        facts = {name: value for name, value in event.items() if name != "event"}
        if event["event"] == "dataset":
            self._add_dataset(facts)
        self._note(event["event"], facts)

    def _count_calls(self, event: dict[str, Any]) -> None:
        asked = self._asked(event["version"])
        asked.measured += event["requests"]
        asked.called += event["requests"]
        asked.add_flaws(event)
        self._spend(event, "")

    def _spend(self, event: dict[str, Any], case_set: str) -> None:
        self.spending.add(event, case_set)
        spent = self.spending.of(event["version"])
        asked = self._asked(event["version"])
        asked.prompt_tokens, asked.completion_tokens = spent.prompt_tokens, spent.completion_tokens
        asked.cost = spent.cost

    def _add_needed(self, event: dict[str, Any]) -> None:
        self._asked(event["version"]).needed.add(f"{event['case_set']}/{event['case']}")

    def _add_whole_set(self, event: dict[str, Any]) -> None:
        self._asked(event["version"]).whole_sets.add(event["case_set"])

    def _add_deaths(self, event: dict[str, Any]) -> None:
        """Each process of a run tells all deaths it knows of, so that the longest list is the one."""
        asked = self._asked(event["version"])
        asked.deaths = max(asked.deaths, event["statuses"], key=len)

    def _asked(self, version: str) -> Asked:
        return self.summary.asked.setdefault(version, Asked())

    def _count(self, event: dict[str, Any]) -> None:
        """The answers of a block, each block once however many workers read it."""
        if event["block"] in self._blocks:
            return
        self._blocks.add(event["block"])
        asked = self._asked(event["version"])
        if event["replayed"]:
            asked.replayed += event["requests"]
        else:
            asked.measured += event["requests"]
            self._spend(event, event["asked_as"])
        if not event["asked_as"]:
            asked.called += event["requests"]
        asked.add_flaws(event)

    def _count_recalled(self, event: dict[str, Any]) -> None:
        """Answers of a recorded baseline, each counted once however many tests and workers read it."""
        answers = {(event["case_set"], case, trial) for case, trials in event["answers"].items() for trial in trials}
        self._asked(event["version"]).replayed += len(answers - self._recalled)
        self._recalled |= answers

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
            with self._noting_what_fails():
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
            "case_sets": [],
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
                with self._noting_what_fails():
                    self.store.append(self.settings.run_id, VERDICTS, entry)

    def close(
        self, outcomes: Counter[str], failed_tests: set[str], *, status: int = 0, is_complete: bool = True
    ) -> None:
        """Complete the manifest and write summary and results.

        Without a model nothing was recorded, and nothing is written; but a summary or results of an earlier run, which
        a reader would take for this one's, are always replaced.

        Args:
            outcomes: Tests by pytest's outcome.
            failed_tests: Node ids of tests that failed or had an error.
            status: Exit status of pytest.
            is_complete: False when the run was stopped early.
        """
        self.summary.is_complete = is_complete
        for test in list(self._pending):
            self.end_test(test)
        self.summary.tests = outcomes
        self.summary.failed_tests = failed_tests
        ended_at = now()
        with self._noting_what_fails():
            if self._manifest:
                ended = {"ended_at": ended_at, "tests": dict(outcomes), "spending": self.spending.to_json()}
                self.store.write_manifest(self.settings.run_id, self._manifest | ended)
                self._write_reports(self.store.run_folder(self.settings.run_id), status, ended_at)
        with self._noting_what_fails():
            is_told = bool(self._manifest) and bool(self.summary.gates or failed_tests)
            self._write_reports(self.settings.out, status, ended_at, only_existing=not is_told)
            if (self.settings.out / SUMMARY).exists():
                self.written.append(self.settings.out / SUMMARY)

    @contextmanager
    def _noting_what_fails(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            if str(error) not in self.unwritten:
                self.unwritten.append(str(error))

    def _write_reports(self, folder: Path, status: int, ended_at: str, *, only_existing: bool = False) -> None:
        ending = Ending(status, self._manifest.get("started_at"), ended_at, self._verdicts_seen_from(folder))
        for name, text in ((RESULTS, results_json(self.summary, ending)), (SUMMARY, summary_markdown(self.summary))):
            if not only_existing or (folder / name).exists():
                replace_file(folder / name, text)

    def _verdicts_seen_from(self, folder: Path) -> str | None:
        """Path of the verdicts relative to a folder, so that both can be moved together; None when there are none."""
        path = self.store.run_folder(self.settings.run_id) / VERDICTS
        if not path.exists():
            return None
        try:
            return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
        except ValueError:  # on another drive of Windows
            return path.resolve().as_posix()
