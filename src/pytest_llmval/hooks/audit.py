"""`--llmval-audit`: known bugs are put into the model, and the tests say whether they notice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from pytest_llmval.hooks.collection import uses
from pytest_llmval.hooks.options import switch
from pytest_llmval.hooks.workers import stay_in_this_process
from pytest_llmval.stash import RUN, candidate_of, decoration_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from pytest_llmval.reports.audit import Audit
    from pytest_llmval.scoring.mutation import Mutation

MODEL_FIXTURES = {"torch_model", "llm"}
TOKENIZER_FIXTURES = {"tokenizer", "llm"}


@dataclass(eq=False)
class Subjects:
    """The objects of the candidate that tests were seen to use."""

    models: dict[int, Any] = field(default_factory=dict)
    tokenizers: dict[int, Any] = field(default_factory=dict)


SUBJECTS = pytest.StashKey[Subjects]()
AUDIT = pytest.StashKey["Audit"]()


def is_audit(config: pytest.Config) -> bool:
    """Whether bugs are to be put in."""
    from pytest_llmval.errors import SettingsError

    try:
        return switch(config, "llmval-audit")
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """An audit changes objects of this process, so there are no workers; goldens are read and never written."""
    if not is_audit(config):
        return
    if getattr(config.option, "update_snapshots", False):
        msg = "--llmval-audit with --snapshot-update would store what a broken model gives; use one of them"
        raise pytest.UsageError(msg)
    stay_in_this_process(config)
    config.pluginmanager.register(Witness(), "llmval-witness")


class Witness:
    """Notes which model and tokenizer the tests of an audit use."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Look at what the test was given, and at what its server has loaded by now."""
        subjects = item.config.stash.get(SUBJECTS, None)
        if subjects is not None:
            _note(item, subjects)
        yield
        if subjects is not None:
            _note_server(item.config, subjects)


def _note(item: pytest.Item, subjects: Subjects) -> None:
    for name, known in (("torch_model", subjects.models), ("tokenizer", subjects.tokenizers)):
        value = getattr(item, "funcargs", {}).get(name)
        if value is not None:
            known[id(value)] = value


def _note_server(config: pytest.Config, subjects: Subjects) -> None:
    """What the candidate's server in this process has loaded by now."""
    run = config.stash.get(RUN, None)
    server = run.started_server(candidate_of(config)) if run else None
    loaded = vars(server) if server is not None else {}
    if "network" in loaded:
        subjects.models[id(loaded["network"].model)] = loaded["network"].model
    if "tokenizer" in loaded:
        subjects.tokenizers[id(loaded["tokenizer"])] = loaded["tokenizer"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests once as they are, and once with each bug."""
    config = session.config
    if not is_audit(config) or config.option.collectonly:
        return None
    if session.testsfailed and not config.option.continue_on_collection_errors:
        return None
    if settings_of(config).candidate is None:
        msg = "--llmval-audit puts bugs into a model: name one with --model-version NAME"
        raise pytest.UsageError(msg)
    config.stash[AUDIT] = _audited(session)
    return True


def _audited(session: pytest.Session) -> Audit:
    from pytest_llmval.reports.audit import Audit

    subjects = session.config.stash[SUBJECTS] = Subjects()
    items = [
        item
        for item in session.items
        if decoration_of(item) is None and uses(item, MODEL_FIXTURES | TOKENIZER_FIXTURES)
    ]
    outcomes = dict(_outcomes(items))
    sound = [item for item, reason in outcomes.items() if reason is None]
    noticed = tuple(_noticed(session.config, sound, subjects))
    return Audit(
        version=candidate_of(session.config).name,
        tests=tuple(item.nodeid for item in sound),
        bugs=noticed,
        unsound=tuple((item.nodeid, reason) for item, reason in outcomes.items() if reason is not None),
        left_out=len(session.items) - len(items),
    )


def _noticed(config: pytest.Config, sound: Sequence[pytest.Item], subjects: Subjects) -> Iterator[Any]:
    from pytest_llmval.scoring.tensors.mutations.catalogue import known_bugs
    from pytest_llmval.scoring.tokens.known_bugs import known_token_bugs

    for known, objects, fixtures in (
        (known_bugs, subjects.models, MODEL_FIXTURES),
        (known_token_bugs, subjects.tokenizers, TOKENIZER_FIXTURES),
    ):
        items = [item for item in sound if uses(item, fixtures)]
        if objects and items:
            first = next(iter(objects.values()))
            for bug in known(first):
                _tell(config, bug.name)
                yield _with_bug(bug, objects.values(), items)


def _with_bug(bug: Mutation, objects: Iterable[Any], items: Sequence[pytest.Item]) -> Any:
    from contextlib import ExitStack

    from pytest_llmval.reports.audit import Noticed

    with ExitStack() as injected:
        for each in objects:
            injected.enter_context(bug.inject(each))
        failed = [item.nodeid for item, reason in _outcomes(items) if reason is not None]
    return Noticed(bug.name, tuple(failed), tuple(item.nodeid for item in items))


def _outcomes(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, str | None]]:
    """Each item with why it did not pass, None when it did; fixtures of wider scope stay for the next round."""
    for at, item in enumerate(items):
        following = items[(at + 1) % len(items)]
        # With itself as the next one an item would not be torn down; its parent keeps the wider fixtures as well.
        reports = runtestprotocol(item, log=False, nextitem=following if following is not item else item.parent)  # type: ignore[arg-type]
        yield item, next((_reason(report) for report in reports if not report.passed), None)


def _reason(report: pytest.TestReport) -> str:
    """The first line of why a test failed or was skipped."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longreprtext).partition("\n")[0]


def _tell(config: pytest.Config, name: str) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and reporter.verbosity > 0:
        reporter.write_line(f"audit: {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under --llmval-strict a bug that nobody notices fails the run."""
    audit = session.config.stash.get(AUDIT, None)
    if audit is None:
        return
    session._setupstate.teardown_exact(None)  # noqa: SLF001 - the loop keeps fixtures for the next round
    if not audit.tests:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
    elif audit.unnoticed and settings_of(session.config).strict:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table bug × test."""
    audit = config.stash.get(AUDIT, None)
    if audit is None:
        return
    from pytest_llmval.reports.audit import audit_lines

    terminalreporter.section("llmval: audit")
    for line in audit_lines(audit):
        terminalreporter.write_line(line, red=line.startswith("NOT NOTICED"))
