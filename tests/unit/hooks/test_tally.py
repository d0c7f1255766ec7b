"""Tests by outcome, as the process counts them that sees all reports."""

import pytest

from pytest_llmval.hooks.tally import Tally


def report(when, outcome, *, test="t.py::a", infrastructure=None):
    """A report of one phase."""
    made = pytest.TestReport(test, ("t.py", 1, "a"), {}, outcome, None, when)
    if infrastructure is not None:
        made.llmval = {"events": [], "infrastructure": infrastructure}
    return made


def tallied(*phases, tally=None):
    """A tally of the phases of one test, and the outcomes it gave at each."""
    tally = tally or Tally()
    return tally, [tally.add(report(*phase)) for phase in phases]


@pytest.mark.parametrize(
    ("setup", "call", "teardown", "outcome"),
    [
        ("passed", "passed", "passed", "passed"),
        ("passed", "skipped", "passed", "skipped"),
        ("passed", "failed", "passed", "failed"),
        ("skipped", None, "passed", "skipped"),
        ("failed", None, "passed", "error"),
        ("passed", "passed", "failed", "error"),
        ("passed", "failed", "failed", "error"),
        ("passed", "skipped", "failed", "error"),
    ],
)
def test_the_worst_phase_decides(setup, call, teardown, outcome):
    """Each test is counted once, at its end; a failure outside the call is an error."""
    phases = [("setup", setup), ("call", call), ("teardown", teardown)]

    tally, given = tallied(*[phase for phase in phases if phase[1]])

    assert given[-1] == outcome
    assert set(given[:-1]) == {None}
    assert dict(tally.outcomes) == {outcome: 1}
    assert tally.failed_tests == ({"t.py::a"} if outcome in ("failed", "error") else set())


def test_a_rerun_replaces_the_attempt_before_it():
    """pytest-rerunfailures reports the failed call as `rerun` and gives no teardown for it."""
    tally, given = tallied(
        ("setup", "passed"),
        ("call", "rerun"),
        ("setup", "passed"),
        ("call", "passed"),
        ("teardown", "passed"),
    )

    assert given == [None, None, None, None, "passed"]
    assert dict(tally.outcomes) == {"passed": 1}
    assert not tally.failed_tests


@pytest.mark.parametrize(
    "phases", [[("setup", "rerun")], [("setup", "passed"), ("call", "passed"), ("teardown", "rerun")]]
)
def test_a_rerun_of_setup_or_teardown(phases):
    """Neither attempt is counted twice."""
    tally, given = tallied(*phases, ("setup", "passed"), ("call", "failed"), ("teardown", "passed"))

    assert given[-1] == "failed"
    assert dict(tally.outcomes) == {"failed": 1}


def test_a_test_whose_worker_crashed():
    """pytest-xdist gives one report of the phase `???`, perhaps after that of the setup."""
    for before in ([], [("setup", "passed")]):
        tally, given = tallied(*before, ("???", "failed"))

        assert given[-1] == "failed"
        assert dict(tally.outcomes) == {"failed": 1}
        assert tally.failed_tests == {"t.py::a"}


def test_tests_of_several_workers_are_mixed():
    """Phases are kept by test."""
    tally = Tally()

    for when, outcome in (("setup", "passed"), ("call", "failed"), ("teardown", "passed")):
        tally.add(report(when, outcome, test="t.py::a"))
        tally.add(report(when, "passed", test="t.py::b"))

    assert dict(tally.outcomes) == {"failed": 1, "passed": 1}
    assert tally.failed_tests == {"t.py::a"}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [([], False), (["skipped"], False), (["passed"], True), (["failed"], True), (["skipped", "passed"], True)],
)
def test_whether_there_are_results(outcomes, expected):
    """A run in which all was skipped has none."""
    tally = Tally()
    for number, outcome in enumerate(outcomes):
        for when in ("setup", "call", "teardown"):
            tally.add(report(when, outcome if when == "call" else "passed", test=f"t.py::{number}"))

    assert tally.has_results is expected


@pytest.mark.parametrize(
    ("failures", "expected"),
    [([], False), ([True], True), ([True, True], True), ([True, False], False), ([None], False)],
)
def test_whether_only_infrastructure_failed(failures, expected):
    """One failure of another kind is enough to make it a matter of the model or the suite."""
    tally = Tally()
    for number, infrastructure in enumerate(failures):
        test = f"t.py::{number}"
        tally.add(report("setup", "passed", test=test))
        tally.add(report("call", "failed", test=test, infrastructure=infrastructure))
        tally.add(report("teardown", "passed", test=test))

    assert tally.only_infrastructure_failed is expected


def test_infrastructure_that_recovers():
    """A rerun that passes leaves no failure behind."""
    tally = Tally()
    for when, outcome in (("setup", "passed"), ("call", "rerun")):
        tally.add(report(when, outcome, infrastructure=when == "call"))
    for when in ("setup", "call", "teardown"):
        tally.add(report(when, "passed"))

    assert not tally.only_infrastructure_failed
    assert not tally.infrastructure
