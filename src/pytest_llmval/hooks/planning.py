"""`--llmval-plan`: print what would be asked, run nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmval.hooks.collection import BASELINE_FIXTURES, uses
from pytest_llmval.hooks.options import switch
from pytest_llmval.hooks.workers import stay_in_this_process
from pytest_llmval.stash import decoration_of, run_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.settings import ModelSettings

CANDIDATE_FIXTURES = {"response", "responses"}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A plan is made in this process: workers would have nothing to do."""
    if _is_plan(config):
        stay_in_this_process(config)


def _is_plan(config: pytest.Config) -> bool:
    from pytest_llmval.errors import SettingsError

    try:
        return switch(config, "llmval-plan")
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Print the plan in place of running the tests."""
    config = session.config
    if not _is_plan(config) or config.option.collectonly:
        return None
    if session.testsfailed and not config.option.continue_on_collection_errors:
        return None
    lines = list(_plan_lines(session))
    reporter = config.pluginmanager.getplugin("terminalreporter")
    for line in lines if reporter else ():
        reporter.write_line(line)
    return True


def _plan_lines(session: pytest.Session) -> Iterator[str]:
    if settings_of(session.config).candidate is None:
        yield "llmval: no model version is named, so nothing would be asked; add --model-version NAME"
        return
    from pytest_llmval.planning import plan_case_set, plan_rows
    from pytest_llmval.reports.terminal import table

    run = run_of(session.config)
    plans = [plan_case_set(run, case_set, model) for case_set, model in _asked(session)]
    yield "llmval: plan; no test is run and no model is asked"
    yield from table(list(plan_rows(plans)))
    repeated = [item for item in session.items if decoration_of(item) and item.get_closest_marker("llmval_trials")]
    if repeated:
        yield f"{len(repeated)} tests are repeated by llmval_trials; the plan counts the first trial of each"
    others = sum(decoration_of(item) is None and uses(item, {"llm", "baseline_llm"}) for item in session.items)
    if others:
        yield f"{others} more tests call a model themselves; what they ask is not known before they run"


def _asked(session: pytest.Session) -> list[tuple[CaseSet, ModelSettings]]:
    """Each case set with each version that some item asks it of, in the order of the items."""
    settings = settings_of(session.config)
    wanted = {}
    for item in session.items:
        decoration = decoration_of(item)
        if decoration is None:
            continue
        for names, model in ((CANDIDATE_FIXTURES, settings.candidate), (BASELINE_FIXTURES, settings.baseline)):
            if model is not None and not model.is_recorded and uses(item, names):
                wanted[id(decoration.case_set), model.name] = (decoration.case_set, model)
    return list(wanted.values())
