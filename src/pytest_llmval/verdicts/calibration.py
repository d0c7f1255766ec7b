"""Calibration: whether confidences are consistent with the answers, with enough cases to have seen it if not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.statistics.calibration.bins import BINS, bins_of
from pytest_llmval.statistics.calibration.consistency import consistency
from pytest_llmval.statistics.calibration.power import calibration_power, required_calibration_cases
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.verdict import Counts, Outcome, Verdict
from pytest_llmval.verdicts.wording import LONGEST_HEADLINE, counted, naming, shorten

if TYPE_CHECKING:
    from pytest_llmval.scoring.calibration import Confidences
    from pytest_llmval.statistics.calibration.consistency import Consistency

METRIC = "calibration_error"


def decide_calibrated(
    confidences: Confidences,
    *,
    level: float = 0.05,
    detectable: float = 0.05,
    power: float = 0.80,
    bins: int = BINS,
) -> Verdict:
    """The verdict on "answers given with confidence c are right in a share c of cases".

    Outcomes: `regressed` when a calibrated model would show this calibration error with a chance of at most
    ``level``; else `equivalent` when a model too sure by ``detectable`` would have been found with a chance of at
    least ``power``; else `inconclusive`, because too few cases find nothing. `invalid` above 5 % lost.

    Args:
        confidences: What `choice_confidence(responses)` gives.
        level: Level of the consistency test, in (0, 1).
        detectable: Excess of confidence that the cases must be able to show, in (0, 1).
        power: Chance of showing it that is asked for, in (0, 1).
        bins: Most bins, of equal mass.

    Returns:
        A verdict of kind `calibrated`: `candidate` is the expected calibration error, `threshold` the error that a
        calibrated model stays below.

    Raises:
        ValueError: If a share is not inside (0, 1), or there is no bin.
    """
    gate = _Gate(confidences, level, detectable, power, bins)
    counts = _counts(confidences)
    blank = _blank(gate, counts)
    found = _obstacles(confidences, counts)
    if found:
        return replace(blank, headline=f"{METRIC} cannot be decided", reason="; ".join(found))
    return _decided(gate, blank)


@dataclass(frozen=True, slots=True)
class _Gate:
    """Confidences and what is asked of them."""

    confidences: Confidences
    level: float
    detectable: float
    power: float
    bins: int

    def __post_init__(self) -> None:
        """Refuse shares and bins that cannot be meant."""
        for name in ("level", "detectable", "power"):
            if not 0 < getattr(self, name) < 1:
                msg = f"{name}={getattr(self, name)!r}; expected a number between 0 and 1"
                raise ValueError(msg)
        if self.bins < 1:
            msg = f"bins={self.bins!r}; expected at least 1"
            raise ValueError(msg)

    @property
    def columns(self) -> tuple[list[float], list[float]]:
        """Confidences and outcomes."""
        rows = self.confidences.paired
        return [sure for _, sure, _ in rows], [right for *_, right in rows]

    @property
    def units(self) -> int:
        """Independent cases: clusters where they are declared."""
        clusters = self.confidences.clusters
        return len(set(clusters)) if clusters else len(self.confidences.paired)


def _counts(confidences: Confidences) -> Counts:
    rows = list(zip(confidences.confidence.values, confidences.correct.values, strict=True))
    without = [[each for each in row if isinstance(each, Unscored)] for row in rows]
    failed = sum(any(each.failed for each in reasons) for reasons in without)
    lost = sum(bool(reasons) for reasons in without)
    return Counts(len(rows), len(rows) - lost, failed=failed, unscored=lost - failed)


def _obstacles(confidences: Confidences, counts: Counts) -> list[str]:
    if not counts.compared:
        return ["no case has a confidence and an outcome"]
    split = [case_id for case_id, _, right in confidences.paired if right not in (0.0, 1.0)]
    return [
        *comparable.too_much_lost(counts),
        *([f"the trials of a case do not agree on whether it is right: {naming(split)}"] if split else []),
        *comparable.too_few_clusters(confidences.clusters),
    ]


def _decided(gate: _Gate, blank: Verdict) -> Verdict:
    sure, right = gate.columns
    found = consistency(sure, right, bins=gate.bins, clusters=gate.confidences.clusters, level=gate.level)
    chance = calibration_power(sure, gate.detectable, cases=gate.units, level=gate.level, bins=gate.bins)
    # Whatever the confidences, an excess shows only in wrong answers, and so few cases may have none.
    chance = min(chance, 1 - (1 - gate.detectable) ** gate.units)
    outcome = _outcome(gate, found, chance)
    needed = _needed(gate, sure) if outcome is Outcome.INCONCLUSIVE else None
    return replace(
        blank,
        outcome=outcome,
        headline=_headline(gate, found, len(sure)),
        reason=_reason(gate, outcome, chance, needed),
        candidate=found.error,
        threshold=found.bar,
        method="consistency",
        needed_cases=needed,
        evidence=blank.evidence | {"statistics": {"method": "consistency", "p": found.p, "power": chance}},
    )


def _outcome(gate: _Gate, found: Consistency, chance: float) -> Outcome:
    if found.p <= gate.level:
        return Outcome.REGRESSED
    return Outcome.EQUIVALENT if chance >= gate.power else Outcome.INCONCLUSIVE


def _needed(gate: _Gate, sure: list[float]) -> int | None:
    units = required_calibration_cases(sure, gate.detectable, power=gate.power, level=gate.level, bins=gate.bins)
    return None if units is None else -(-units * len(sure) // gate.units)


def _headline(gate: _Gate, found: Consistency, cases: int) -> str:
    numbers = f"(p={found.p:.3g}, level {gate.level:g}, n={cases}, {gate.bins} bins of equal mass)"
    line = f"{METRIC} {found.error:.3f}, a calibrated model stays below {found.bar:.3f} {numbers}"
    version = gate.confidences.confidence.version
    return shorten(f"{line}{version and f' for {shorten(version, 40)}'}", LONGEST_HEADLINE)


def _reason(gate: _Gate, outcome: Outcome, chance: float, needed: int | None) -> str:
    if outcome is Outcome.REGRESSED:
        return f"shown miscalibrated: {_direction(gate)}"
    if outcome is Outcome.EQUIVALENT:
        return ""
    would = f"about {counted(needed, 'case')} would" if needed else "more cases would not"
    return (
        f"not shown: a model too sure by {gate.detectable:g} would be found with a chance of {chance:.0%} only; "
        f"{would} make it {gate.power:.0%}"
    )


def _direction(gate: _Gate) -> str:
    """Which way the confidences err, and where most."""
    sure, right = gate.columns
    confidence, accuracy = sum(sure) / len(sure), sum(right) / len(right)
    worst = max(bins_of(sure, right, bins=gate.bins, binning="mass"), key=lambda each: each.cases * abs(each.gap))
    word = "too sure" if confidence > accuracy else "not sure enough"
    return (
        f"confidence {confidence:.3f}, accuracy {accuracy:.3f}, {word} on average; most in "
        f"[{worst.low:.3f}, {worst.high:.3f}], where {counted(worst.cases, 'answer')} of confidence "
        f"{worst.confidence:.3f} are right in {worst.accuracy:.3f}"
    )


def _blank(gate: _Gate, counts: Counts) -> Verdict:
    """What is known whatever the confidences say."""
    return Verdict(
        outcome=Outcome.INVALID,
        metric=METRIC,
        kind="calibrated",
        headline="",
        counts=counts,
        alpha=gate.level,
        alpha_adjusted=gate.level,
        evidence=_evidence(gate),
    )


def _evidence(gate: _Gate) -> dict[str, Any]:
    return {
        "kind": "calibrated",
        "parameters": {
            "level": gate.level,
            "detectable": gate.detectable,
            "power": gate.power,
            "bins": gate.bins,
        },
        "candidate": scores_to_dict(gate.confidences.confidence),
        "correct": scores_to_dict(gate.confidences.correct),
    }
