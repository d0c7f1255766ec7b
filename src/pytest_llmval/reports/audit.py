"""What an audit tells: which test notices which bug, and which bugs nobody notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.reports.safe_text import clip
from pytest_llmval.reports.terminal import table

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LIMIT = 60
REASON_LIMIT = 160


@dataclass(frozen=True, slots=True)
class Noticed:
    """One bug, and the tests that failed while it was in."""

    bug: str
    tests: tuple[str, ...]
    """Node ids."""
    run: tuple[str, ...]
    """Node ids of the tests that were run with it."""


@dataclass(frozen=True, slots=True)
class Audit:
    """All bugs that were put in."""

    version: str
    tests: tuple[str, ...]
    """Node ids of the tests that pass without a bug."""
    bugs: tuple[Noticed, ...]
    unsound: tuple[tuple[str, str], ...] = ()
    """Tests that fail or are skipped without any bug, and so were not used: node id and reason."""
    left_out: int = 0
    """Tests that judge recorded answers, or use no model."""

    @property
    def unnoticed(self) -> tuple[str, ...]:
        """Bugs that no test noticed."""
        return tuple(each.bug for each in self.bugs if not each.tests)

    @property
    def idle(self) -> tuple[str, ...]:
        """Tests that noticed no bug."""
        useful = {test for each in self.bugs for test in each.tests}
        return tuple(test for test in self.tests if test not in useful)


def audit_lines(audit: Audit) -> Iterator[str]:
    """The lines of the report: what was run, bug × test, and what nobody noticed."""
    bugs, tests = len(audit.bugs), len(audit.tests)
    yield f"{audit.version}: {bugs} known bugs were put in, one after the other; {counted(tests)} could notice"
    useful = [test for test in audit.tests if test not in audit.idle]
    if audit.bugs:
        yield from _matrix(audit, useful)
    for number, test in enumerate(useful, start=1):
        yield f"  {number:>2} {short(test)}"
    yield from _rest(audit)


def _matrix(audit: Audit, useful: list[str]) -> Iterator[str]:
    header = ["bug", "noticed by", *(str(number) for number in range(1, len(useful) + 1))]
    rows = [header]
    for each in audit.bugs:
        marks = ["x" if test in each.tests else "." if test in each.run else "" for test in useful]
        rows.append([each.bug, str(len(each.tests)) if each.tests else "NOBODY", *marks])
    yield from table(rows)


def _rest(audit: Audit) -> Iterator[str]:
    if audit.idle:
        yield f"{counted(len(audit.idle))} noticed none of these bugs: {_listed(audit.idle)}"
    for test, reason in audit.unsound:
        yield f"not used, as it does not pass without a bug: {short(test)}: {clip(reason, REASON_LIMIT)}"
    if audit.left_out:
        yield f"not used, as they look at no model or tokenizer of this process: {counted(audit.left_out)}"
    if audit.unnoticed:
        yield f"NOT NOTICED by any test: {', '.join(audit.unnoticed)}"
    elif audit.bugs:
        yield "every bug is noticed by at least one test"


def _listed(tests: tuple[str, ...], most: int = 6) -> str:
    shown = ", ".join(short(test) for test in tests[:most])
    return shown if len(tests) <= most else f"{shown} and {len(tests) - most} more"


def counted(tests: int) -> str:
    """The number of tests in words."""
    return "1 test" if tests == 1 else f"{tests} tests"


def short(test: str) -> str:
    """A node id without its folders, cut to what a line holds."""
    name = test.rsplit("/", 1)[-1].removeprefix("::")
    return name if len(name) <= NAME_LIMIT else f"{name[: NAME_LIMIT - 3]}..."
