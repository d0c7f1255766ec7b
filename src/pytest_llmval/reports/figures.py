"""How numbers are written in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.reports.summary import Gate
    from pytest_llmval.verdicts.verdict import Verdict

COLUMNS = ("gate", "baseline", "candidate", "delta", "90% CI", "margin", "n", "verdict")
"""Deltas are turned so that positive is better."""
COMPARISONS = ("no_regression", "improved", "equivalent")
"""Kinds of gate whose figures are differences."""

THRESHOLD_WORDS = {"equivalent": "reached", "regressed": "not reached"}
LIMIT_WORDS = {"equivalent": "kept", "regressed": "exceeded"}
WORDS: dict[str, dict[str, str]] = {
    "no_regression": {},
    "improved": {"regressed": "not improved"},
    "equivalent": {"regressed": "not equivalent"},
    "same_answers": {"equivalent": "same", "regressed": "not the same"},
    "limit": LIMIT_WORDS,
    "calibrated": LIMIT_WORDS,
    "latency": LIMIT_WORDS,
}
"""How outcomes are called for a kind of gate; a bar, for all others."""
MEASURED = ("limit", "latency", "throughput")
"""Kinds of gate whose figures may be of any size: counts, a divergence of 1e-5, the seconds of a token."""

_NOTHING, _SMALL, _LARGE = 0.001, 0.1, 1000


def row(gate: Gate) -> tuple[str, ...]:
    """The cells of a gate, in the order of COLUMNS."""
    verdict = gate.verdict
    return (
        gate.name,
        _against(verdict),
        _figure(verdict, verdict.candidate),
        change(verdict, verdict.delta, signed=True),
        interval(verdict),
        _margin(verdict),
        str(verdict.counts.compared),
        outcome(verdict),
    )


def outcome(verdict: Verdict) -> str:
    """The outcome in words; a bar is reached or not, a limit kept or exceeded."""
    word = verdict.outcome.value.replace("_", " ")
    return WORDS.get(verdict.kind, THRESHOLD_WORDS).get(word, word)


def remark(verdict: Verdict) -> str:
    """What a reader should know beyond the table; of a limit that is not kept the headline, which names the fault."""
    if verdict.kind != "limit":
        return verdict.reason
    return "" if verdict.passed else "; ".join(filter(None, (verdict.headline, verdict.reason)))


def _against(verdict: Verdict) -> str:
    """What the candidate is held against: the baseline's value, a bar or a limit."""
    if verdict.kind in COMPARISONS:
        return _figure(verdict, verdict.baseline)
    return f"{'limit' if verdict.kind == 'limit' else 'bar'} {_figure(verdict, verdict.threshold)}"


def _margin(verdict: Verdict) -> str:
    """The loss that is tolerated, or the gain that is asked for."""
    if verdict.kind == "improved":
        return f">{change(verdict, verdict.threshold, signed=True)}"
    return change(verdict, verdict.margin, signed=False)


def _figure(verdict: Verdict, number: float | None) -> str:
    """A number as measured: a score with three decimals, or what may be of any size with three digits."""
    if number is None or not (verdict.kind in MEASURED or _is_below(_SMALL, verdict, number)):
        return value(number)
    return f"{number:.3g}" if abs(number) < _LARGE else f"{number:.0f}"


def _is_below(size: float, verdict: Verdict, number: float) -> bool:
    """Whether three decimals would hide much of a number without bounds, such as the price of an answer."""
    scores = verdict.evidence.get("candidate", {"bounds": ()})
    return scores.get("bounds") is None and 0 < abs(number) < size


def value(number: float | None) -> str:
    """A score with three decimals, `-` when there is none."""
    return "-" if number is None else f"{number:.3f}"


def interval(verdict: Verdict) -> str:
    """The interval of the difference, or of the value itself for a threshold."""
    return ends(verdict, verdict.low, verdict.high)


def ends(verdict: Verdict, low: float | None, high: float | None) -> str:
    """An interval in the gate's unit, `-` when there is none."""
    if low is None or high is None:
        return "-"
    shown = (change(verdict, end, signed=True).removesuffix(" pp") for end in (low, high))
    return f"[{', '.join(shown)}]"


def change(verdict: Verdict, number: float | None, *, signed: bool) -> str:
    """A difference: percentage points for shares, else the metric's own unit. A threshold's interval has no sign."""
    if number is None:
        return "-"
    if verdict.kind not in COMPARISONS:
        return _figure(verdict, number)
    sign = "+" if signed else ""
    if is_share(verdict):
        return f"{100 * number:{sign}.1f} pp"
    return f"{number:{sign}.3{'g' if _is_below(_NOTHING, verdict, number) else 'f'}}"


def is_share(verdict: Verdict) -> bool:
    """Whether the metric is a share, whose differences are percentage points."""
    bounds = verdict.evidence.get("candidate", {}).get("bounds")
    return bounds is not None and tuple(bounds) == (0.0, 1.0)
