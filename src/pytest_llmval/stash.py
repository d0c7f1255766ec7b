"""What the plugin keeps on pytest's objects, under typed keys; made on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_llmval.current import new_run_id
from pytest_llmval.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.case_sets.case import CaseSet, Decoration
    from pytest_llmval.current import TestInProgress
    from pytest_llmval.ledger import Ledger
    from pytest_llmval.run import Run
    from pytest_llmval.servers.broker.client import Line
    from pytest_llmval.servers.broker.keeper import Keeper
    from pytest_llmval.settings import ModelSettings, Settings

MERGE_SETTINGS: pytest.StashKey[Callable[[pytest.Config], Settings]] = pytest.StashKey()
"""How settings are made; put there by the hooks."""
PROGRESS: pytest.StashKey[Callable[[str, int, int], None]] = pytest.StashKey()
"""Who is told of progress; put there by the hooks."""
SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
RUN_ID: pytest.StashKey[str] = pytest.StashKey()
RUN: pytest.StashKey[Run] = pytest.StashKey()
LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()
KEEPER: pytest.StashKey[Keeper] = pytest.StashKey()
"""Who owns the engine process of the workers, in the process that starts them."""
SELECTION: pytest.StashKey[Callable[[CaseSet], set[str] | None]] = pytest.StashKey()
"""Which cases of a set the selected tests need, None for all; put there by the hooks."""
GATES: pytest.StashKey[int] = pytest.StashKey()
TEST: pytest.StashKey[TestInProgress] = pytest.StashKey()
GOLDEN_NOTES: pytest.StashKey[list[str]] = pytest.StashKey()
"""Environments that a test's goldens were compared across, in words."""
DECORATION = "__llmval_cases__"
"""Attribute that `case_set.each` and `.all` leave on a test function; spelt here so that nothing is imported for it."""
CASE = "_llmval_case"
"""Private parameter that carries an item's case."""


def decoration_of(holder: pytest.Item | pytest.Metafunc) -> Decoration | None:
    """How the test of an item is decorated with a case set, in the prompt that is asked; None when it is not.

    Raises:
        pytest.UsageError: If the case set has several prompts and the settings are wrong.
    """
    written = written_decoration_of(holder)
    if written is None or not written.case_set.variants:
        return written
    return written.with_prompt(settings_of(holder.config).prompt)


def written_decoration_of(holder: object) -> Decoration | None:
    """The decoration as the suite has it, with all variants of the prompt."""
    return getattr(getattr(holder, "function", None), DECORATION, None)


def run_id_of(config: pytest.Config) -> str:
    """The run's id: made once by the controller, which tells its workers."""
    if RUN_ID not in config.stash:
        told: dict[str, str] = getattr(config, "workerinput", {})
        config.stash[RUN_ID] = told.get("llmval_run_id") or new_run_id()
    return config.stash[RUN_ID]


def settings_of(config: pytest.Config) -> Settings:
    """The settings of this invocation.

    Raises:
        pytest.UsageError: If an option, a name or `llmval.toml` is wrong.
    """
    if SETTINGS not in config.stash:
        try:
            config.stash[SETTINGS] = config.stash[MERGE_SETTINGS](config)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[SETTINGS]


def run_of(config: pytest.Config) -> Run:
    """This process's view of the run."""
    if RUN not in config.stash:
        from pytest_llmval.run import Run

        config.stash[RUN] = Run(
            settings_of(config), config.stash[PROGRESS], _line_of(config), config.stash.get(SELECTION, None)
        )
    return config.stash[RUN]


def _line_of(config: pytest.Config) -> Line | None:
    """A worker's line to the engine of the run; None where models answer in this process."""
    told: dict[str, dict[str, Any]] = getattr(config, "workerinput", {})
    if "llmval_keeper" not in told:
        return None
    from pytest_llmval.servers.broker.channel import Address
    from pytest_llmval.servers.broker.client import Line

    return Line(Address(**told["llmval_keeper"]))


def ledger_of(config: pytest.Config) -> Ledger:
    """The ledger; only the process that writes shared files asks for it."""
    if LEDGER not in config.stash:
        from pytest_llmval.ledger import Ledger

        config.stash[LEDGER] = Ledger(settings_of(config))
    return config.stash[LEDGER]


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def skip(reason: str) -> NoReturn:
    """Skip the test; the report shows the test's own place and not this line."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


def candidate_of(config: pytest.Config) -> ModelSettings:
    """The version under test; skips when none is named."""
    settings = settings_of(config)
    if settings.candidate is None:
        known = ", ".join(settings.config.models) or "none; `llmval init MODEL` writes a first llmval.toml"
        skip(f"no model version: name one with --model-version NAME (known: {known}), or in [defaults]")
    return settings.candidate


def baseline_of(config: pytest.Config) -> ModelSettings:
    """The version it is compared with; skips when none is named."""
    candidate_of(config)
    baseline = settings_of(config).baseline
    if baseline is None:
        skip("no baseline: name one with --baseline-version NAME")
    return baseline


def live_baseline_of(config: pytest.Config) -> ModelSettings:
    """The version it is compared with, to be asked; skips when none is named, or only its answers were recorded."""
    baseline = baseline_of(config)
    if baseline.is_recorded:
        skip(f"the baseline {baseline.name!r} is recorded: its answers are there, the model is not")
    return baseline
