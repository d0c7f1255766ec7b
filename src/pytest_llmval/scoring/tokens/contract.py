"""Contract: invariants, what breaks them, and the report of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_llmval.scoring.tokens.capabilities import Flip, Profile
from pytest_llmval.scoring.tokens.code_points import shown

if TYPE_CHECKING:
    from collections.abc import Callable

ProfileT = TypeVar("ProfileT", bound=Profile)
_SHRINKING_ATTEMPTS = 300
_SHRINKING_CHARACTERS = 3_000_000  # in all attempts together: each encodes the whole text
_LONGEST_PROBLEM = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """One invariant that does not hold."""

    invariant: str
    problem: str
    example: str | None = None
    """The shortest text found that shows it; None when it does not depend on a text."""

    def __str__(self) -> str:
        line = f"{self.invariant}: {self.problem}"
        return line if self.example is None else f"{line}\n    example {shown(self.example)}"


@dataclass(frozen=True, slots=True)
class ContractReport(Generic[ProfileT]):
    """What a contract found; as text, the message of a failed assertion."""

    subject: str
    """`tokenizer` or `chat template`."""
    profile: ProfileT
    """Capabilities as probed now; freeze `profile.as_json()` to notice when one flips."""
    checked: tuple[str, ...]
    """Invariants that were looked at."""
    violations: tuple[Violation, ...] = ()
    flips: tuple[Flip, ...] = ()
    examples: int = 0
    """Texts or conversations that were tried."""

    @property
    def passed(self) -> bool:
        """Whether every invariant holds and no capability flipped."""
        return not (self.violations or self.flips)

    def __str__(self) -> str:
        if self.passed:
            return f"{self.subject}: {len(self.checked)} invariants hold over {self.examples} examples"
        return "\n".join([_headline(self), *(f"  {each}" for each in (*self.violations, *self.flips))])


def _headline(report: ContractReport[ProfileT]) -> str:
    broken = f"{len(report.violations)} of {len(report.checked)} invariants broken" if report.violations else ""
    count = len(report.flips)
    flipped = f"{count} {'capability' if count == 1 else 'capabilities'} flipped (baseline -> candidate)"
    return f"{report.subject}: {' and '.join(filter(None, (broken, flipped if count else '')))}"


def problem_of(check: Callable[[str], str], text: str) -> str:
    """What a check says about a text; empty when it holds. A tokenizer that raises breaks every invariant."""
    try:
        return _cut(check(text))
    except BaseException as error:
        if not is_failure(error):
            raise
        return _cut(f"raises {type(error).__name__}: {error}")


def _cut(problem: str) -> str:
    return problem if len(problem) <= _LONGEST_PROBLEM else f"{problem[:_LONGEST_PROBLEM]}…"


def is_failure(error: BaseException) -> bool:
    """Whether an exception is a failure of the tokenizer rather than a request to stop.

    The Rust side panics with an exception that is no `Exception`.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def minimal(text: str, fails: Callable[[str], bool]) -> str:
    """A shorter text that still fails, found by leaving out ever smaller pieces.

    >>> minimal("some x here", lambda text: "x" in text)
    'x'
    """
    size = max(1, len(text) // 2)
    attempts = min(_SHRINKING_ATTEMPTS, _SHRINKING_CHARACTERS // max(1, len(text)))
    while size:
        start = 0
        while start < len(text) and attempts:
            shorter, attempts = text[:start] + text[start + size :], attempts - 1
            if fails(shorter):
                text = shorter
            else:
                start += size
        size //= 2
    return text
