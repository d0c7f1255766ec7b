"""Throughput: whether the work done a second is shown to reach a bar."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.serving.measuring import Fates, Work
from pytest_llmval.statistics.batch_means import batch_means
from pytest_llmval.statistics.order_statistics import quantile
from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.verdicts.latency import check_bar
from pytest_llmval.verdicts.rule import check_level, would_decide
from pytest_llmval.verdicts.serving import counts_of, fate_obstacles, number_text
from pytest_llmval.verdicts.verdict import Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, bar_line, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.statistics.batch_means import BatchMeans
    from pytest_llmval.statistics.intervals import Interval

MOST_WINDOWS = 20
FEWEST_WINDOWS = 5
USUAL = 0.95
"""Share of the answers that take no longer than a window."""

_MORE = ("measured answer", "measured answers")


def decide_throughput(work: Work, minimum: float, *, alpha: float = 0.05) -> Verdict:
    """The verdict on "at least ``minimum`` of this work is done a second".

    The time from the first start to the last end is cut into 20 windows, or as many as are no shorter than 95 % of
    the answers take; the interval comes from their rates. Fewer than 5 are inconclusive.

    Args:
        work: What was done, and when.
        minimum: The bar, in the unit of the work, 0 or more.
        alpha: One-sided level, in (0, 0.5); the interval has confidence 1 − 2·alpha.

    Returns:
        A verdict of kind `throughput`; `needed_cases` is a number of answers.

    Raises:
        TypeError: If the bar is no number.
        ValueError: If it is negative, infinite or NaN, or the level is impossible.
    """
    gate = _Gate(work, minimum, alpha)
    found = list(_obstacles(gate))
    if found:
        return replace(_blank(gate), headline=f"{work.name} cannot be decided", reason="; ".join(found))
    return _decided(gate) if gate.windows >= FEWEST_WINDOWS else _too_short(gate)


def work_from_dict(fields: dict[str, Any]) -> Work:
    """Work as a verdict's evidence holds it."""
    columns = {name: tuple(fields[name]) for name in ("starts", "seconds", "amounts")}
    return Work(**fields | columns | {"fates": Fates(**fields["fates"])})


@dataclass(frozen=True, slots=True)
class _Gate:
    """Work and its bar."""

    work: Work
    bar: float
    alpha: float

    def __post_init__(self) -> None:
        """Refuse a level or a bar that cannot be meant."""
        check_level(self.alpha)
        check_bar(self.work.name, self.bar, self.work.unit)

    @property
    def answers(self) -> int:
        return len(self.work.amounts)

    @property
    def span(self) -> float:
        """Seconds from the first start to the last end; the first start is 0."""
        ends = zip(self.work.starts, self.work.seconds, strict=True)
        return max((start + seconds for start, seconds in ends), default=0.0)

    @property
    def shortest(self) -> float:
        """Seconds of the shortest window that says more than one answer does."""
        return quantile(self.work.seconds, USUAL)

    @property
    def windows(self) -> int:
        return math.floor(min(MOST_WINDOWS, self.span / self.shortest)) if self.shortest else MOST_WINDOWS

    @property
    def scale(self) -> Scale:
        return Scale(self.work.unit, in_points=False)

    def headline(self, value: float, interval: Interval | None, number: str) -> str:
        """One line."""
        n = number_text(number, self.work.fates)
        return bar_line(self.work.name, self.scale, value, interval, n=n, bar=self.bar, alpha=self.alpha)


def _obstacles(gate: _Gate) -> Iterator[str]:
    yield from fate_obstacles(gate.work.fates, gate.answers)
    if gate.answers and not gate.span:
        yield "no time passed from the first start to the last end"
    elif gate.answers and not any(gate.work.amounts):
        yield "no token was generated: the server counts none, or the cases have choices; bound requests_per_second"


def _decided(gate: _Gate) -> Verdict:
    means, blank = batch_means(gate.work.starts, gate.work.seconds, gate.work.amounts, gate.windows), _blank(gate)
    interval = means.interval(1 - 2 * gate.alpha)
    outcome = _outcome(interval, gate.bar)
    needed = _needed(gate, means) if outcome is Outcome.INCONCLUSIVE else None
    return replace(
        blank,
        outcome=outcome,
        headline=gate.headline(means.mean, interval, f"{gate.answers} in {gate.windows} windows"),
        reason=_reason(gate, outcome, interval, needed),
        candidate=means.mean,
        low=interval.low,
        high=interval.high,
        method="batch_means",
        needed_cases=needed,
        evidence=blank.evidence | {"statistics": {"method": "batch_means", "windows": gate.windows}},
    )


def _too_short(gate: _Gate) -> Verdict:
    """A rate without an interval."""
    rate = sum(gate.work.amounts) / gate.span
    needed = math.ceil(gate.answers * FEWEST_WINDOWS * gate.shortest / gate.span)
    return replace(
        _blank(gate),
        outcome=Outcome.INCONCLUSIVE,
        headline=gate.headline(rate, None, str(gate.answers)),
        reason=(
            f"the answers span {gate.span:.3g} s, and {USUAL:.0%} of them take up to {gate.shortest:.3g} s: that is "
            f"{counted(gate.windows, 'window')}, and an interval needs {FEWEST_WINDOWS}; "
            f"{would_decide(needed, _MORE, 'give one')}"
        ),
        candidate=rate,
        needed_cases=needed,
    )


def _outcome(interval: Interval, bar: float) -> Outcome:
    if interval.low >= bar:
        return Outcome.EQUIVALENT
    return Outcome.REGRESSED if interval.high < bar else Outcome.INCONCLUSIVE


def _needed(gate: _Gate, means: BatchMeans) -> int | None:
    """How many answers fill as many windows as would decide."""

    def settles(windows: int) -> bool:
        return _outcome(means.interval(1 - 2 * gate.alpha, windows), gate.bar) is not Outcome.INCONCLUSIVE

    windows = smallest_sufficient(settles, means.windows + 1) if means.mean != gate.bar else None
    return None if windows is None else math.ceil(gate.answers * windows / means.windows)


def _reason(gate: _Gate, outcome: Outcome, interval: Interval, needed: int | None) -> str:
    bar = gate.scale.with_unit(gate.scale.value(gate.bar))
    if outcome is Outcome.EQUIVALENT:
        return ""
    if outcome is Outcome.REGRESSED:
        return f"shown below the bar of {bar}"
    doubt = f"not shown at or above the bar of {bar}: the interval reaches {gate.scale.value(interval.low)}"
    return f"{doubt}; {would_decide(needed, _MORE)} if the rate stays the same"


def _blank(gate: _Gate) -> Verdict:
    """What is known whatever the rates are."""
    return Verdict(
        outcome=Outcome.INVALID,
        metric=gate.work.name,
        kind="throughput",
        headline="",
        counts=counts_of(gate.work.fates, gate.answers),
        threshold=gate.bar,
        alpha=gate.alpha,
        alpha_adjusted=gate.alpha,
        evidence=_evidence(gate),
    )


def _evidence(gate: _Gate) -> dict[str, Any]:
    fields = asdict(gate.work)
    columns = {name: list(fields[name]) for name in ("starts", "seconds", "amounts")}
    return {
        "kind": "throughput",
        "parameters": {"minimum": gate.bar, "alpha": gate.alpha},
        "measured": fields | columns,
    }
