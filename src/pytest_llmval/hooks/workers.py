"""Events of all processes come together: the controller names the run, reports carry what workers saw."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmval.hooks.tally import TALLY, Tally
from pytest_llmval.stash import LEDGER, is_worker, ledger_of, run_id_of


def pytest_configure(config: pytest.Config) -> None:
    """Listen to reports where all of them arrive."""
    if not is_worker(config):
        config.stash[TALLY] = Tally()
        config.pluginmanager.register(Listener(config), "llmval-listener")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker the run it belongs to."""
    node.workerinput["llmval_run_id"] = run_id_of(node.config)


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
