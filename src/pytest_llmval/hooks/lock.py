"""The lock: data that are not as they were locked stop the run; `llmval lock` writes the lock by `--llmval-lock`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.hooks.refusal import refuse
from pytest_llmval.hooks.workers import stay_in_this_process
from pytest_llmval.stash import decoration_of, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.case_sets.lock import Pin

PINS = pytest.StashKey["list[Pin]"]()
"""What was collected, to be locked."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option is for `llmval lock`, hence in no help."""
    parser.getgroup("llmval").addoption("--llmval-lock", action="store_true", help=argparse.SUPPRESS)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Workers would each write the lock."""
    if config.option.llmval_lock:
        stay_in_this_process(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Compare what is asked with the lock, before any item is deselected."""
    users = _users(items)
    if not users:
        return
    path = _lock_path(config)
    if config.option.llmval_lock:
        config.stash[PINS] = list(_pinned(users, path))
    elif path.is_file():
        _compare(items, _pinned(users, path), path)


def _users(items: list[pytest.Item]) -> dict[CaseSet, pytest.Item]:
    """Each case set that is asked, with the first item that asks it."""
    users: dict[CaseSet, pytest.Item] = {}
    for item in items:
        decoration = decoration_of(item)
        if decoration is not None:
            users.setdefault(decoration.case_set, item)
    return users


def _pinned(users: dict[CaseSet, pytest.Item], path: Path) -> dict[Pin, pytest.Item]:
    from pytest_llmval.case_sets.lock import pin_of

    return {pin_of(case_set, path.parent): item for case_set, item in users.items()}


def _lock_path(config: pytest.Config) -> Path:
    """Beside the settings file in use, else in the root of the tests."""
    from pytest_llmval.case_sets.lock import LOCK_NAME

    settings_file = settings_of(config).config.path
    return (settings_file.parent if settings_file else config.rootpath) / LOCK_NAME


def _compare(items: list[pytest.Item], pinned: dict[Pin, pytest.Item], path: Path) -> None:
    """Refuse what is not locked. What is locked and not here may be asked by tests that were not collected."""
    from pytest_llmval.case_sets.lock import changes_between, read_lock, refusal
    from pytest_llmval.errors import DatasetError

    config = items[0].config
    try:
        changes = changes_between(read_lock(path), pinned)
    except DatasetError as error:
        refuse(items, next(iter(pinned.values())), f"{error}; `{_command(path, config)}` writes it anew")
        return
    unlocked = {change: pinned[change.now] for change in changes if change.now is not None}
    if unlocked:
        message = refusal(unlocked, _shown(path, config), _command(path, config))
        refuse(items, next(iter(unlocked.values())), message)


def _shown(path: Path, config: pytest.Config) -> str:
    return os.path.relpath(path, config.invocation_params.dir)


def _command(path: Path, config: pytest.Config) -> str:
    """What the user types where pytest was run."""
    folder = _shown(path.parent, config)
    return "llmval lock" if folder == os.curdir else f"llmval lock {folder}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Write the lock in place of running the tests."""
    config = session.config
    if not config.option.llmval_lock:
        return None
    if session.testsfailed:
        raise session.Interrupted("nothing is locked: not all tests could be collected")
    if PINS not in config.stash:
        msg = "nothing to lock: no test that was collected is decorated with a case set (.each or .all)"
        raise pytest.UsageError(msg)
    reporter = config.pluginmanager.getplugin("terminalreporter")
    for line in _write(config):
        reporter.write_line(line)
    return True


def _write(config: pytest.Config) -> list[str]:
    from pytest_llmval.case_sets.lock import write_lock
    from pytest_llmval.errors import DatasetError

    pins = config.stash[PINS]
    try:
        return write_lock(_lock_path(config), pins, keep_others=_names_tests(config))
    except DatasetError as error:
        raise pytest.UsageError(str(error)) from error


def _names_tests(config: pytest.Config) -> bool:
    """Whether the user named the tests, which then may not be the whole suite."""
    return config.args_source is pytest.Config.ArgsSource.ARGS
