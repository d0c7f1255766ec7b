"""Latency: whether a percentile, or the mean, of the time that answers take is shown to stay below a bar."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.serving.measuring import Durations, Fates
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.order_statistics import (
    quantile,
    quantile_interval,
    sample_to_decide,
    smallest_sample_for,
)
from pytest_llmval.statistics.power import smallest_sufficient
from pytest_llmval.verdicts.estimate import mean_of, spread_of
from pytest_llmval.verdicts.rule import check_level, would_decide
from pytest_llmval.verdicts.serving import counts_of, fate_obstacles, number_text
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import Scale, bar_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.score import CaseNote

PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
MEAN = "mean"
STATISTICS = (*PERCENTILES, MEAN)
"""What can be bounded, in the order of the verdicts."""

_SHOWN_CASES = 5


def decide_latency(durations: Durations, statistic: str, maximum: float, *, alpha: float = 0.05) -> Verdict:
    """The verdict on "this percentile of the times is at most ``maximum`` seconds".

    Outcomes: `equivalent` when the interval's upper end is at most the bar, `regressed` when its lower end lies above
    it, else `inconclusive`; `invalid` above 5 % lost. A failed answer is infinitely slow, which makes a mean invalid.

    Args:
        durations: The times, taken as independent measurements.
        statistic: One of `STATISTICS`.
        maximum: The bar, in seconds, 0 or more.
        alpha: One-sided level, in (0, 0.5); the interval has confidence 1 − 2·alpha.

    Returns:
        A verdict of kind `latency`; `needed_cases` is a number of measurements.

    Raises:
        TypeError: If the bar is no number.
        ValueError: If it is negative, infinite or NaN, the statistic is unknown, or the level is impossible.
    """
    gate = _Gate(durations, statistic, maximum, alpha)
    found = list(_obstacles(gate))
    if found:
        return replace(_blank(gate), headline=f"{gate.metric} cannot be decided", reason="; ".join(found))
    return _decided(gate)


def durations_from_dict(fields: dict[str, Any]) -> Durations:
    """Times as a verdict's evidence holds them."""
    columns = {name: tuple(fields[name]) for name in ("ids", "seconds", "lost")}
    return Durations(**fields | columns | {"fates": Fates(**fields["fates"])})


def check_bar(name: str, bar: object, what: str) -> None:
    """Refuse a bar that cannot be meant; ``what`` is expected, for example `seconds`."""
    if isinstance(bar, bool) or not isinstance(bar, int | float):
        msg = f"{name}={bar!r:.60}; expected a number of {what}"
        raise TypeError(msg)
    if not 0 <= bar < math.inf:
        msg = f"{name}={bar!r}; expected a number of {what}, 0 or more"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class _Gate:
    """Times and the bar for one of their statistics."""

    durations: Durations
    statistic: str
    bar: float
    alpha: float

    def __post_init__(self) -> None:
        """Refuse a level, a statistic or a bar that cannot be meant."""
        check_level(self.alpha)
        if self.statistic not in STATISTICS:
            msg = f"statistic={self.statistic!r}; expected one of {', '.join(map(repr, STATISTICS))}"
            raise ValueError(msg)
        check_bar(self.statistic, self.bar, "seconds")

    @property
    def metric(self) -> str:
        return f"{self.durations.name} {self.statistic}"

    @property
    def sample(self) -> tuple[float, ...]:
        return self.durations.seconds + (math.inf,) * len(self.durations.lost)

    @property
    def confidence(self) -> float:
        return 1 - 2 * self.alpha

    @property
    def scale(self) -> Scale:
        return Scale(self.durations.unit, in_points=False)

    @property
    def is_shared(self) -> bool:
        """Whether some answers share their time with others."""
        return self.durations.measured > len(self.durations.seconds)

    @property
    def more(self) -> tuple[str, str]:
        """What there could be more of, singular and plural."""
        return ("measured batch", "measured batches") if self.is_shared else ("measured answer", "measured answers")


@dataclass(frozen=True, slots=True)
class _Finding:
    """A statistic of the times."""

    value: float
    interval: Interval
    method: str
    outcome: Outcome


def _obstacles(gate: _Gate) -> Iterator[str]:
    lost, fates = gate.durations.lost, gate.durations.fates
    yield from fate_obstacles(fates, gate.durations.measured)
    if gate.statistic == MEAN and lost and gate.durations.measured:
        yield f"{fates.failed} failed: with an answer that never came the mean is infinite; bound a percentile instead"


def _decided(gate: _Gate) -> Verdict:
    found = _found(gate)
    needed = _needed(gate, found) if found.outcome is Outcome.INCONCLUSIVE else None
    number = f"{len(gate.sample)} batches of {gate.durations.measured} answers" if gate.is_shared else len(gate.sample)
    n = number_text(str(number), gate.durations.fates)
    blank = _blank(gate)
    return replace(
        blank,
        outcome=found.outcome,
        headline=bar_line(gate.metric, gate.scale, found.value, found.interval, n=n, bar=gate.bar, alpha=gate.alpha),
        reason=_reason(gate, found, needed),
        candidate=found.value,
        low=found.interval.low,
        high=found.interval.high,
        method=found.method,
        needed_cases=needed,
        worst=_slowest(gate.durations),
        evidence=blank.evidence | {"statistics": {"method": found.method}},
    )


def _found(gate: _Gate) -> _Finding:
    if gate.statistic == MEAN:
        estimate = mean_of(gate.sample, _limits(gate.sample))
        value, own, method = estimate.value, estimate.interval(gate.confidence), estimate.method
    else:
        share = PERCENTILES[gate.statistic]
        value, own = quantile(gate.sample, share), quantile_interval(gate.sample, share, gate.confidence)
        method = "order_statistics"
    interval = Interval(max(0.0, own.low), own.high)
    return _Finding(value, interval, method, _outcome(interval, gate.bar))


def _limits(sample: tuple[float, ...]) -> Interval:
    """Nothing limits a time but 0; as far as the times themselves reach beyond their mean."""
    mean, spread = sum(sample) / len(sample), spread_of(sample)
    return Interval(mean - spread, mean + spread)


def _outcome(interval: Interval, bar: float) -> Outcome:
    if interval.high <= bar:
        return Outcome.EQUIVALENT
    return Outcome.REGRESSED if interval.low > bar else Outcome.INCONCLUSIVE


def _needed(gate: _Gate, found: _Finding) -> int | None:
    """How many measurements would decide; where there is no upper end, how many give one at least."""
    present = len(gate.sample)
    if gate.statistic == MEAN:
        return _needed_for_mean(gate, present)
    share = PERCENTILES[gate.statistic]
    if math.isinf(found.interval.high):
        return smallest_sample_for(share, gate.confidence, above=len(gate.durations.lost))
    below = sum(each <= gate.bar for each in gate.sample) / present
    return sample_to_decide(below, share, gate.confidence, start=present + 1)


def _needed_for_mean(gate: _Gate, present: int) -> int | None:
    estimate = mean_of(gate.sample, _limits(gate.sample))

    def settles(count: int) -> bool:
        return _outcome(estimate.interval(gate.confidence, count), gate.bar) is not Outcome.INCONCLUSIVE

    return smallest_sufficient(settles, present + 1) if estimate.value != gate.bar else None


def _reason(gate: _Gate, found: _Finding, needed: int | None) -> str:
    bar = gate.scale.with_unit(gate.scale.value(gate.bar))
    if found.outcome is Outcome.EQUIVALENT:
        return ""
    if found.outcome is Outcome.REGRESSED:
        return f"shown above the bar of {bar}"
    doubt, (one, many) = f"not shown at or below the bar of {bar}", gate.more
    if math.isfinite(found.interval.high):
        reached = gate.scale.value(found.interval.high)
        return f"{doubt}: the interval reaches {reached}; {would_decide(needed, gate.more)} if nothing changes"
    present = len(gate.sample)
    given = f"{present} {one if present == 1 else many} give {gate.statistic} no upper end"
    return f"{doubt}: {given}; at least {needed} would{', if no more fail' * bool(gate.durations.lost)}"


def _slowest(durations: Durations) -> tuple[CaseChange, ...]:
    """The slowest measurements, those that failed first."""
    notes = durations.notes or (None,) * (len(durations.ids) + len(durations.lost))
    failed = [_change(name, None, note) for name, note in zip(durations.lost, notes[len(durations.ids) :], strict=True)]
    rows = sorted(zip(durations.seconds, durations.ids, notes, strict=False), key=lambda row: -row[0])
    return tuple((failed + [_change(name, seconds, note) for seconds, name, note in rows])[:_SHOWN_CASES])


def _change(name: str, seconds: float | None, note: CaseNote | None) -> CaseChange:
    told = {} if note is None else {"prompt": note.prompt, "candidate_answer": note.answer}
    return CaseChange(name, baseline=None, candidate=seconds, **told)


def _blank(gate: _Gate) -> Verdict:
    """What is known whatever the times say."""
    return Verdict(
        outcome=Outcome.INVALID,
        metric=gate.metric,
        kind="latency",
        headline="",
        counts=counts_of(gate.durations.fates, len(gate.sample)),
        threshold=gate.bar,
        alpha=gate.alpha,
        alpha_adjusted=gate.alpha,
        evidence=_evidence(gate),
    )


def _evidence(gate: _Gate) -> dict[str, Any]:
    fields = asdict(gate.durations)
    del fields["notes"]
    columns = {name: list(fields[name]) for name in ("ids", "seconds", "lost")}
    return {
        "kind": "latency",
        "parameters": {"statistic": gate.statistic, "maximum": gate.bar, "alpha": gate.alpha},
        "measured": fields | columns,
    }
