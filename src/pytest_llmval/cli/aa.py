"""`llmval aa`: a suite compares a version with itself, and its gates are measured on what that recorded."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError
from pytest_llmval.ledger import RESULTS
from pytest_llmval.reports.results import INFRASTRUCTURE_FAILED
from pytest_llmval.reports.self_check import CheckedGate, SelfCheckReport, self_check_lines
from pytest_llmval.reports.summary import Gate
from pytest_llmval.verdicts.evidence import verdict_from_dict
from pytest_llmval.verdicts.self_check import SPEAKS, self_check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RIGHT, WRONG, NO_GATE = 0, 1, 5
ENDED = (0, 1, 5, INFRASTRUCTURE_FAILED)
"""Exit statuses of a pytest that ran its tests; of any other it has said why."""
OWN_OPTIONS = {
    "--baseline-version": "the version is its own baseline; compare two with pytest itself",
    "--llmval-baseline-version": "the version is its own baseline; compare two with pytest itself",
    "--llmval-model-version": "name the version with --model-version",
    "--llmval-trials": "give the number with --trials",
    "--llmval-out": "the reports of the run would read as the verdict on a version, and are not kept",
}
"""Options that the run is given by this command, each with what the user does instead."""


def aa(
    arguments: Sequence[str],
    version: str,
    *,
    tell: Callable[[str], None],
    trials: int = 8,
    splits: int = 400,
    seed: int = 0,
) -> int:
    """Run a suite with a version as its own baseline, and tell what the A/A check of each of its gates finds.

    Args:
        arguments: Paths of the tests, and options for pytest.
        version: Name or folder of the version.
        tell: Takes a line of the report.
        trials: How often each case is asked, at least 2, where the case set does not say.
        splits: How often the trials are dealt to two sides, at least 1.
        seed: Of the dealing.

    Returns:
        1 when a gate is wrong, 5 when none compares, 0 when all are right, even if one seldom passes; else the exit
        status of pytest.

    Raises:
        SettingsError: If a number is too small, or an option is one that this command gives.
    """
    _refuse_too_few(trials, splits)
    _refuse_own(arguments)
    with tempfile.TemporaryDirectory(prefix="llmval-aa-") as folder:
        status = _run_suite(arguments, version, trials, folder)
        recorded = _read(Path(folder) / RESULTS) if status in ENDED else Recorded()
    if status not in ENDED:
        return status
    if not recorded.comparing:
        tell(f"llmval aa: no gate came to compare {version} with itself; pytest ended with status {status}")
        return status if status == INFRASTRUCTURE_FAILED else NO_GATE
    report = _checked(recorded, version, splits, seed)
    for line in self_check_lines(report):
        tell(line)
    return WRONG if report.wrong else RIGHT


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the run left."""

    gates: tuple[Gate, ...] = ()
    """Each with its whole evidence."""
    failed_tests: tuple[str, ...] = ()

    @property
    def comparing(self) -> tuple[Gate, ...]:
        """The gates that have an A/A check."""
        return tuple(gate for gate in self.gates if gate.verdict.kind in SPEAKS)


def _refuse_too_few(trials: int, splits: int) -> None:
    if trials < 2:  # noqa: PLR2004 - one for each side
        msg = f"--trials {trials}: expected at least 2, one for each of the two sides"
        raise SettingsError(msg)
    if splits < 1:
        msg = f"--splits {splits}: expected at least 1"
        raise SettingsError(msg)


def _refuse_own(arguments: Sequence[str]) -> None:
    for argument in arguments:
        name = argument.partition("=")[0]
        if name in OWN_OPTIONS:
            msg = f"{name} cannot be given on to pytest: {OWN_OPTIONS[name]}"
            raise SettingsError(msg)


def _run_suite(arguments: Sequence[str], version: str, trials: int, out: str) -> int:
    """Exit status of pytest. Its reports go elsewhere: they would read as the verdict on a version."""
    named = [f"--model-version={version}", f"--baseline-version={version}", f"--llmval-trials={trials}"]
    reports = ["-p", "pytest_llmval.hooks.own_reports", f"--llmval-out={out}"]
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *named, *reports]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - no shell


def _read(results: Path) -> Recorded:
    """What these results tell; nothing when the run asked no model."""
    if not results.exists():
        return Recorded()
    told = json.loads(results.read_text(encoding="utf-8"))
    lines = (results.parent / told["verdicts"]).read_text(encoding="utf-8").split("\n") if told["verdicts"] else []
    return Recorded(tuple(_gate(json.loads(line)) for line in lines if line), tuple(told["failed_tests"]))


def _gate(entry: dict[str, Any]) -> Gate:
    fields = {name: value for name, value in entry.items() if name not in ("test", "recorded_at")}
    return Gate(entry["test"], verdict_from_dict(fields))


def _checked(recorded: Recorded, version: str, splits: int, seed: int) -> SelfCheckReport:
    comparing = recorded.comparing
    told = {gate.test for gate in comparing}
    return SelfCheckReport(
        version=version,
        splits=splits,
        checked=tuple(
            CheckedGate(gate, self_check(gate.verdict.evidence, splits=splits, seed=seed)) for gate in comparing
        ),
        left_out=tuple(gate for gate in recorded.gates if gate.verdict.kind not in SPEAKS),
        failed_tests=tuple(test for test in recorded.failed_tests if test not in told),
    )
