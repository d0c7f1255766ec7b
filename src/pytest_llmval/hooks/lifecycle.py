"""Settings are checked before the first test; servers stop after the last one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.hooks.options import is_version_named, merge_settings, search_starts
from pytest_llmval.stash import MERGE_SETTINGS, RUN, SETTINGS, settings_of

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = (
    "llmval_same_weights: skip unless candidate and baseline claim the same weights (same_weights_as)",
    "llmval_trials(n, min_pass_rate=1.0): run the test up to n times; one verdict on the share of trials that pass",
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register markers; with a version named, or a settings file there, stop on wrong settings before any test."""
    config.stash[MERGE_SETTINGS] = merge_settings
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if is_version_named(config) or any(_has_file(start) for start in search_starts(config)):
        settings_of(config)


def _has_file(start: Path) -> bool:
    """Whether there is an `llmval.toml` above: looked for without loading anything."""
    return any((folder / "llmval.toml").is_file() for folder in (start, *start.parents))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers of this process; remove what an audit kept meanwhile."""
    run = config.stash.get(RUN, None)
    if run is not None:
        run.close()
    settings = config.stash.get(SETTINGS, None)
    if settings is not None and settings.audit_folder is not None:
        shutil.rmtree(settings.audit_folder, ignore_errors=True)
