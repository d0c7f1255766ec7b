"""Events of all processes come together: the controller names the run, reports carry what workers saw."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.hooks.tally import TALLY, Tally
from pytest_llmval.stash import KEEPER, LEDGER, SETTINGS, is_worker, ledger_of, run_id_of

if TYPE_CHECKING:
    from pytest_llmval.servers.broker.keeper import Keeper
    from pytest_llmval.settings import ModelSettings


def pytest_configure(config: pytest.Config) -> None:
    """Listen to reports where all of them arrive."""
    if not is_worker(config):
        config.stash[TALLY] = Tally()
        config.pluginmanager.register(Listener(config), "llmval-listener")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker the run it belongs to, and where to ask for its engine."""
    node.workerinput["llmval_run_id"] = run_id_of(node.config)
    keeper = _keeper_of(node.config)
    if keeper is not None:
        node.workerinput["llmval_keeper"] = asdict(keeper.address)


def _keeper_of(config: pytest.Config) -> Keeper | None:
    """The keeper of the run's engine, which has started none yet; None where no version needs one."""
    settings = config.stash.get(SETTINGS, None)
    if settings is None or settings.offline or not any(map(_is_shared, (settings.candidate, settings.baseline))):
        return None
    if KEEPER not in config.stash:
        from pytest_llmval.records.store import LocalStore
        from pytest_llmval.servers.broker.keeper import Keeper

        store = LocalStore(settings.store)
        config.stash[KEEPER] = Keeper(store.engine_log(settings.run_id), store.open_log)
    return config.stash[KEEPER]


def _is_shared(model: ModelSettings | None) -> bool:
    """Whether all workers ask one process for a version: for its weights, or for one limit and one budget."""
    return model is not None and model.server not in ("scripted", "recorded")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that the engine died, also when nothing came of it."""
    keeper = config.stash.get(KEEPER, None)
    if keeper is not None and keeper.deaths:
        terminalreporter.write_line(f"llmval: {keeper.notice}", yellow=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the engine of the workers."""
    keeper = config.stash.get(KEEPER, None)
    if keeper is not None:
        keeper.close()


def stay_in_this_process(config: pytest.Config) -> None:
    """Start no workers, whatever was asked for; for a `pytest_configure` that comes before that of pytest-xdist."""
    if hasattr(config.option, "dist"):
        config.option.numprocesses = None
        config.option.dist = "no"
        config.option.tx = []


class Listener:
    """Hands the reports of all tests to the tally, and what they carry to the ledger."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one report."""
        carried = getattr(report, "llmval", None)
        if report.when == "setup" and LEDGER in self.config.stash:
            ledger_of(self.config).start_again(report.nodeid)
        if carried and carried["events"]:
            ledger_of(self.config).take(report.nodeid, carried["events"])
        ended = self.config.stash[TALLY].add(report)
        if ended and LEDGER in self.config.stash:
            ledger_of(self.config).end_test(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be collected."""
        if report.failed:
            self.config.stash[TALLY].broken_files.add(report.nodeid)
