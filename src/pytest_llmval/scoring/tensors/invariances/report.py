"""The report of an invariance: every change that was made, and where the model noticed one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.wording import apart, counted, lines_of, number, rounded_up, share, steps_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts
    from pytest_llmval.scoring.tensors.invariances.strips import Difference, Variant

_MOST_VARIANTS = 12


@dataclass(frozen=True, slots=True)
class Invariance:
    """What is checked, in words."""

    name: str
    """For example `causality`."""
    meaning: str
    """What a failure usually means."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is allowed."""

    limit: float | None = None
    """Largest relative L2 error of a position; None when every bit counts."""
    why: str = ""
    """Where the limit comes from."""
    undecided: str = ""
    """Why keeping the bar shows nothing; empty when it does."""

    def __str__(self) -> str:
        return "bit by bit" if self.limit is None else f"within rel-L2 {number(self.limit)} a position ({self.why})"


@dataclass(frozen=True, slots=True)
class InvarianceReport:
    """What an invariance check found; as text, the message of its failure or a line on its success."""

    invariance: Invariance
    variants: tuple[Variant, ...]
    """One a change."""
    bar: Bar
    prompts: Prompts = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every change was compared and kept the bar, and there was one."""
        return bool(self.variants) and all(each.passed for each in self.variants) and not self.bar.undecided

    @property
    def failures(self) -> tuple[Variant, ...]:
        """Changes that the model noticed, in order."""
        return tuple(each for each in self.variants if each.failing)

    @property
    def compared(self) -> int:
        """Positions compared over all changes."""
        return sum(each.compared for each in self.variants)

    @property
    def deviation(self) -> float:
        """Largest relative L2 error of a position over all changes."""
        return max((each.deviation for each in self.variants), default=0.0)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def concluded(report: InvarianceReport) -> InvarianceReport:
    """The report when it passes.

    Raises:
        ModelRegression: If a change was noticed.
        InvalidComparison: If none was, but nothing was shown either.
    """
    __tracebackhide__ = True
    if report.passed:
        return report
    raise (ModelRegression if report.failures else InvalidComparison)(str(report))


def _lines(report: InvarianceReport) -> Iterator[str]:
    if report.failures:
        yield from _failed(report)
    elif not report.passed:
        yield f"{report.invariance.name} cannot be decided: {report.bar.undecided or _nothing(report)}"
    else:
        found = "equal" if not report.deviation else f"largest rel-L2 {number(report.deviation)}"
        yield f"{report.invariance.name} holds: {_amount(report)} compared {report.bar}, {found}"
    yield from (f"  note: {note}" for note in report.notes)


def _failed(report: InvarianceReport) -> Iterator[str]:
    failures = report.failures
    first, worst = _named(failures[0].first), _worst(failures)
    yield f"{report.invariance.name} fails: {failures[0].name}, {_place(report, first)} differs"
    yield f"  first: {_values(report, first)}"
    if worst != first:
        yield f"  worst: {_place(report, worst)}: {_values(report, worst)}"
    failing = sum(each.failing for each in failures)
    of = f"{failing} of {counted(report.compared, 'position')} ({share(failing, report.compared)})"
    yield f"  beyond what is allowed: {of}, in {len(failures)} of {counted(len(report.variants), 'change')}"
    yield f"  judged {report.bar}{_sufficient(report)}"
    if len(report.variants) > 1:
        yield from lines_of([_variant(each) for each in failures], _MOST_VARIANTS)
    yield f"  it usually means: {report.invariance.meaning}"


def _nothing(report: InvarianceReport) -> str:
    empty = [each.name for each in report.variants if not each.compared]
    return f"nothing was compared {empty[0]}" if empty else "nothing was compared"


def _amount(report: InvarianceReport) -> str:
    return f"{counted(report.compared, 'position')} in {counted(len(report.variants), 'change')}"


def _variant(variant: Variant) -> str:
    failing = f"{variant.failing} of {counted(variant.compared, 'position')}"
    return f"{variant.name}: {failing}, largest rel-L2 {number(variant.deviation)}"


def _sufficient(report: InvarianceReport) -> str:
    """The limit that would pass, where a limit is what decides."""
    if report.bar.limit is None or report.deviation == float("inf"):
        return ""
    value, limit = apart(report.deviation, report.bar.limit)
    return f": rel-L2 {value}, allowed {limit}; would pass with max_rel_l2={rounded_up(report.deviation)}"


def _worst(failures: tuple[Variant, ...]) -> Difference:
    return _named(max(failures, key=lambda each: each.deviation).worst)


def _named(difference: Difference | None) -> Difference:
    if difference is None:
        msg = "a variant that fails names its first and its worst difference"
        raise TypeError(msg)
    return difference


def _place(report: InvarianceReport, found: Difference) -> str:
    where = f"{found.where}, " if found.where else ""
    return f"{where}row {found.row} at {report.prompts.place(found.row, found.position)}"


def _values(report: InvarianceReport, found: Difference) -> str:
    element = f"channel {found.element}" if found.where else f"logit of {report.prompts.text(found.element)}"
    expected, actual = apart(found.expected, found.actual, 6)
    # Of NaN and infinities there is no distance.
    size = steps_text(found.ulps, found.ulp_format) if found.deviation != float("inf") else "not finite"
    return f"{element} expected {expected} -> actual {actual} ({size}), rel-L2 {number(found.deviation)}"
