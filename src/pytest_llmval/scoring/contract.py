"""How a contract ends: with its report, or with the assertion that it did not hold."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pytest_llmval.errors import ModelRegression


class Report(Protocol):
    """What a contract found; as text, the message of a failed assertion."""

    @property
    def passed(self) -> bool:
        """Whether the contract holds."""


ReportT = TypeVar("ReportT", bound=Report)


def concluded(report: ReportT) -> ReportT:
    """The report when it passes.

    Raises:
        ModelRegression: If it does not.
    """
    __tracebackhide__ = True
    if not report.passed:
        raise ModelRegression(str(report))
    return report
