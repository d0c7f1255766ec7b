"""What the A/A check tells: how often gates speak when nothing changed, and from what change on they speak at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.reports.safe_text import neutralise
from pytest_llmval.reports.terminal import table
from pytest_llmval.verdicts.self_check import ALLOWED_ALARMS, POWER
from pytest_llmval.verdicts.verdict import Outcome
from pytest_llmval.verdicts.wording import counted, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.reports.summary import Gate
    from pytest_llmval.verdicts.self_check import SelfCheck

COLUMNS = ("gate", "n", "trials", "false alarm", "share", "95% CI", "inconclusive", "noise", "detects")
"""`trials` are those of one side; `share` is that of splits in which the gate says it although nothing changed."""

REASON_LIMIT = 300
LISTED = 6
GREEDY = "temperature=0"


@dataclass(frozen=True, slots=True)
class CheckedGate:
    """A gate and what its A/A check found."""

    gate: Gate
    found: SelfCheck


@dataclass(frozen=True, slots=True)
class SelfCheckReport:
    """The A/A check of a suite."""

    version: str
    splits: int
    checked: tuple[CheckedGate, ...]
    left_out: tuple[Gate, ...] = ()
    """Gates that compare with no baseline, or keep no value that could be dealt."""
    failed_tests: tuple[str, ...] = ()
    """Node ids of tests that failed although nothing changed, without a gate that was checked."""

    @property
    def wrong(self) -> tuple[CheckedGate, ...]:
        """Gates that cry wolf or cannot fire."""
        return tuple(each for each in self.checked if each.found.is_wrong)

    @property
    def seldom_passing(self) -> tuple[CheckedGate, ...]:
        """Gates that are not wrong, but mostly cannot decide for a version that did not change."""
        return tuple(each for each in self.checked if each.found.seldom_passes and not each.found.is_wrong)


def self_check_lines(report: SelfCheckReport) -> Iterator[str]:
    """The lines of the report: the answer, the table, what is wrong, what was not looked at."""
    yield _answer(report)
    if report.checked:
        yield from table([COLUMNS, *map(_row, report.checked)])
    for each in report.checked:
        for sentence in _sentences(each.found):
            yield f"{each.gate.name}: {sentence}"
    yield from _notes(report)
    if report.left_out:
        kinds = ", ".join(sorted({gate.verdict.kind for gate in report.left_out}))
        yield f"not compared, as they have no A/A check ({kinds}): {_listed([gate.name for gate in report.left_out])}"
    if report.failed_tests:
        tests = _listed([test.rsplit("/", 1)[-1] for test in report.failed_tests])
        yield f"failed although nothing changed, perhaps before their gates: {tests}"


def _answer(report: SelfCheckReport) -> str:
    gates, wrong, seldom = counted(len(report.checked), "gate"), len(report.wrong), len(report.seldom_passing)
    found = {"WRONG": wrong, "seldom passes" if seldom == 1 else "seldom pass": seldom}
    words = ", ".join(f"{count} of {gates} {word}" for word, count in found.items() if count)
    dealt = f"trials dealt to two sides {counted(report.splits, 'time')}"
    return f"A/A check of {report.version}: {words or f'{gates} sound'}; {dealt}"


def _row(checked: CheckedGate) -> tuple[str, ...]:
    found = checked.found
    return (
        checked.gate.name,
        str(found.cases),
        str(found.a_side or "-"),
        found.speaks.value,
        _alarms(found),
        _interval(found),
        f"{found.inconclusive / found.splits:.1%}",
        "-" if found.noise is None else _size(found, found.noise),
        _detected(found),
    )


def _alarms(found: SelfCheck) -> str:
    return f"{found.alarms / found.splits:.1%}" if found.a_side else "-"


def _interval(found: SelfCheck) -> str:
    """None where nothing varies: equal splits are no sample."""
    if not found.varies:
        return "-"
    interval = found.alarm_interval
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _detected(found: SelfCheck) -> str:
    if found.effect is None:
        return "nothing"
    change = found.scale.change_with_unit(found.effect.change)
    return change if found.effect.cases is None else f"{change} ({found.effect.cases} of {found.cases})"


def _size(found: SelfCheck, size: float) -> str:
    return found.scale.change_with_unit(size).removeprefix("+")


def _sentences(found: SelfCheck) -> Iterator[str]:
    if found.cries_wolf:
        yield (
            f"CRIES WOLF: {found.speaks.value} in {found.alarms} of {found.splits} splits in which nothing changed, "
            f"where {ALLOWED_ALARMS:.0%} are allowed{_because(found.alarm_reason)}"
        )
    if found.silence:
        yield f"CANNOT FIRE: {_state(found)}{_because(found.silence)}"
    if found.seldom_passes:
        share = f"{found.inconclusive / found.splits:.0%}"
        yield (
            f"seldom passes: inconclusive in {share} of the splits although nothing changed: "
            "more cases or a wider margin"
        )
    if not found.is_repeatable:
        yield (
            "the two sides got different scores for the answers of one version: the metric is not repeatable, "
            "or the sides were not asked alike"
        )


def _notes(report: SelfCheckReport) -> Iterator[str]:
    """Why nothing was measured, once for all gates of which it is true."""
    names: dict[str, list[str]] = {}
    for each in report.checked:
        if each.found.is_valid and not each.found.varies:
            names.setdefault(_still(each.found), []).append(each.gate.name)
    for note, gates in names.items():
        yield f"{note}: {_listed(gates)}"


def _state(found: SelfCheck) -> str:
    if not found.is_valid:
        return "it is invalid whatever the scores are"
    extreme = f"at the {'worst' if found.speaks is Outcome.REGRESSED else 'best'} value"
    changed = extreme if found.is_bounded else "shifted beyond all measure"
    said = f"it says {found.speaks.value} in {found.reach:.0%} of the runs, where {POWER:.0%} are asked for"
    return f"with all cases {changed}, {said}"


def _because(reason: str) -> str:
    return f": {shorten(neutralise(reason), REASON_LIMIT)}" if reason else ""


def _still(found: SelfCheck) -> str:
    if not found.a_side:
        return "one value a case: there was nothing to deal, so false alarms and noise are not measured"
    if GREEDY in found.decoding.split(", "):
        return "greedy: repeats are identical, so this measures nothing but says that nothing varies"
    conditions = f" although decoding is {found.decoding}" if found.decoding else ""
    return f"repeats are identical{conditions}, so this measures nothing but says that nothing varies"


def _listed(names: list[str]) -> str:
    shown = neutralise(", ".join(names[:LISTED]))
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
