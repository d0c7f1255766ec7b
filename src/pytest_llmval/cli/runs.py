"""The runs of a record store: by id, by the beginning of one, or `latest`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError
from pytest_llmval.ledger import RESULTS
from pytest_llmval.records.store import LocalStore
from pytest_llmval.reports.safe_text import neutralise
from pytest_llmval.settings import Config, find_config, read_config, store_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LATEST = "latest"
RUNS_SHOWN = 5
SHOWN, STOPPED = "SHOWN", "STOPPED EARLY"
"""Answers in the results of a run."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a command finds settings and records."""

    config: Config
    store: LocalStore


def workplace(store: str | None) -> Workplace:
    """The nearest settings file above the working directory, and the record store.

    Args:
        store: Folder of the store; by default that of `LLMVAL_STORE`, of the settings file, or `.llmval` beside it.

    Raises:
        SettingsError: If the settings file is wrong, or the store no folder.
    """
    folder = Path.cwd()
    path = find_config([folder])
    config = read_config(path) if path else Config(working_folder=folder)
    named = store or os.environ.get("LLMVAL_STORE")
    return Workplace(config, LocalStore(store_folder(named, config, folder, "--store")))


def find_run(store: LocalStore, name: str) -> str:
    """The id of the run that a name stands for: an id, the beginning of one, or `latest`.

    Raises:
        SettingsError: If it stands for none or for several.
    """
    runs = store.runs()
    if name == LATEST and runs:
        return runs[-1]
    fitting = [name] if name in runs else [each for each in runs if each.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        msg = f"{name!r} is the beginning of {len(fitting)} runs: {_latest(fitting)}; give more of the id"
    elif runs:
        msg = f"there is no run {name!r} in {store.root}; the latest are {_latest(runs)}"
    else:
        msg = f"there is no run {name!r} in {store.root}, nor any other; name another store with --store DIR"
    raise SettingsError(msg)


def _latest(runs: Sequence[str]) -> str:
    return ", ".join(reversed(runs[-RUNS_SHOWN:]))


def run_notes(store: LocalStore, run_id: str) -> Iterator[str]:
    """A line on a run whose answer was not SHOWN or that may not have come to its end; none on any other."""
    try:
        told = json.loads((store.run_folder(run_id) / RESULTS).read_text(encoding="utf-8"))
        answer, headline, is_complete = (told[name] for name in ("answer", "headline", "is_complete"))
    except (OSError, ValueError, KeyError, TypeError):
        yield f"note: run {run_id} left no {RESULTS} that can be read; it may not have come to its end"
        return
    if answer != SHOWN:
        stop = "" if is_complete or answer == STOPPED else f"; it was {STOPPED}"
        yield f"note: the answer of run {run_id} was {neutralise(headline)}{stop}"
