"""The runs of a record store: by id, by the beginning of one, or `latest`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError
from pytest_llmval.records.store import LocalStore
from pytest_llmval.settings import Config, find_config, read_config, store_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

LATEST = "latest"
RUNS_SHOWN = 5


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
