"""Summary: the plain facts every report shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.verdicts.verdict import Verdict

NAME_LIMIT = 70
WORST_FIRST = (
    Outcome.REGRESSED,
    Outcome.INVALID,
    Outcome.INCONCLUSIVE,
    Outcome.WORSE_WITHIN_MARGIN,
    Outcome.EQUIVALENT,
    Outcome.IMPROVED,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """One verdict and the test it belongs to."""

    test: str
    """Node id."""
    verdict: Verdict

    @property
    def name(self) -> str:
        """What a table shows: `test_faq.py::test_answers rouge_l`."""
        test = self.test.rsplit("/", 1)[-1]
        shown = test if len(test) <= NAME_LIMIT else f"{test[: NAME_LIMIT - 3]}..."
        return f"{shown} {self.verdict.metric}"

    @property
    def number(self) -> int:
        """Place of the gate within its test, from 1."""
        return int(self.verdict.evidence.get("gate", 1))


@dataclass(slots=True)
class Asked:
    """Requests to one model version."""

    measured: int = 0
    replayed: int = 0
    called: int = 0
    """Those that tests asked for themselves, by `llm.generate` for example."""
    failed: int = 0
    truncated: int = 0
    """Cut by `max_tokens` or the context length."""
    empty: int = 0
    """Nothing but white space."""
    prompt_tokens: int = 0
    """Read for the measured answers."""
    completion_tokens: int = 0
    """Written for them."""
    cost: float | None = 0.0
    """US dollars for them; None where a price is not known."""
    deaths: list[int | None] = field(default_factory=list)
    """Exit status of each process of its server that died and was followed by another; None where nobody saw it."""
    needed: set[str] = field(default_factory=set)
    """Cases that single items asked for, when no item asked for their whole set."""
    whole_sets: set[str] = field(default_factory=set)

    def add_flaws(self, event: Mapping[str, int]) -> None:
        """Count answers that say less than they seem to."""
        self.failed += event["failed"]
        self.truncated += event["truncated"]
        self.empty += event["empty"]


@dataclass(slots=True)
class Summary:
    """One run, ready to be told."""

    run_id: str
    candidate: str
    baseline: str | None
    strict: bool = False
    gates: list[Gate] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    datasets: list[str] = field(default_factory=list)
    is_complete: bool = True
    """False when the run was stopped early, so that gates may not have run."""
    tests: Counter[str] = field(default_factory=Counter)
    """Number of tests by pytest's outcome: passed, failed, error, skipped."""
    failed_tests: set[str] = field(default_factory=set)
    """Node ids of tests that failed or had an error."""
    baseline_origin: str = ""
    """Where the answers of a recorded baseline come from; empty for a model that was asked."""

    @property
    def sorted_gates(self) -> list[Gate]:
        """All gates, regressions first, else in the order they ran."""
        return sorted(self.gates, key=lambda gate: WORST_FIRST.index(gate.verdict.outcome))

    def count(self, outcome: Outcome) -> int:
        """Gates with an outcome."""
        return sum(gate.verdict.outcome is outcome for gate in self.gates)

    @property
    def against(self) -> str:
        """The versions: `v1 -> v2`, or the candidate alone."""
        return f"{self.baseline} -> {self.candidate}" if self.baseline else self.candidate

    @property
    def headline(self) -> str:
        """The answer in one line: it begins with REGRESSED, INVALID, FAILED, STOPPED EARLY, NOT SHOWN or SHOWN."""
        facts = ", ".join(filter(None, (self.against, self._gate_counts())))
        return f"{self.answer}: {facts}{self._other_failures()}"

    @property
    def answer(self) -> str:
        """May this version replace that one?"""
        if self.count(Outcome.REGRESSED):
            return "REGRESSED"
        if self.count(Outcome.INVALID):
            return "INVALID"
        if self.tests["failed"] > self._strict_failures() or self.tests["error"]:
            return "FAILED"
        if not self.is_complete:
            return "STOPPED EARLY"
        return "NOT SHOWN" if self.count(Outcome.INCONCLUSIVE) or not self.gates else "SHOWN"

    def _strict_failures(self) -> int:
        """Tests that failed only because an inconclusive gate counts as failure."""
        tests = {gate.test for gate in self.gates if gate.verdict.outcome is Outcome.INCONCLUSIVE}
        return len(tests) if self.strict else 0

    def _gate_counts(self) -> str:
        counts = [f"{self.count(each)} {each.value.replace('_', ' ')}" for each in WORST_FIRST if self.count(each)]
        if len(self.gates) == 1:
            return f"1 gate: {counts[0][2:]}"
        return f"{len(self.gates)} gates: {', '.join(counts)}" if counts else "no gates"

    def _other_failures(self) -> str:
        others = self.tests["failed"] + self.tests["error"] - len(self.failed_tests - self.other_failed_tests)
        tests = f"{'other ' if self.gates else ''}{'test' if others == 1 else 'tests'}"
        return f"; {others} {tests} failed" if others > 0 else ""

    @property
    def other_failed_tests(self) -> set[str]:
        """Node ids of tests that failed, and not because of a gate."""
        failing = [Outcome.REGRESSED, Outcome.INVALID] + ([Outcome.INCONCLUSIVE] if self.strict else [])
        return self.failed_tests - {gate.test for gate in self.gates if gate.verdict.outcome in failing}
