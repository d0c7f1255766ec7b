"""Calibration in figures: every measure of it for one model version, and the data of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.calibration import Confidences, choice_confidence
from pytest_llmval.statistics.calibration import errors
from pytest_llmval.statistics.calibration.bins import BINS
from pytest_llmval.statistics.calibration.consistency import consistency, reliability
from pytest_llmval.statistics.calibration.scores import brier_decomposition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.servers.exchange import Response
    from pytest_llmval.statistics.calibration.consistency import Consistency, ReliabilityBin
    from pytest_llmval.statistics.calibration.scores import BrierParts


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How well confidence matches accuracy; as text, a short report."""

    version: str
    cases: int
    confidence: float
    """Mean confidence."""
    accuracy: float
    expected_error: float
    """Over bins of equal width, as most tools give it."""
    expected_error_mass: float
    """Over bins of equal mass, as `consistency` tests it."""
    root_mean_square_error: float
    debiased_squared_error: float | None
    """Centred at 0 for a calibrated model; None when no bin has two cases."""
    brier: BrierParts
    """Of "the answer is right" as one event."""
    consistency: Consistency
    bins: tuple[ReliabilityBin, ...]

    @property
    def overconfidence(self) -> float:
        """Confidence − accuracy."""
        return self.confidence - self.accuracy

    def __str__(self) -> str:
        return "\n".join([*_figures(self), *map(_line, self.bins)])


def calibration(answers: Iterable[Response] | Confidences, *, bins: int = BINS, seed: int = 0) -> CalibrationReport:
    """All figures of calibration for the answers of one model version.

    Args:
        answers: Responses to a case set with `choices=` and `answer=`, or confidences made by hand.
        bins: Most bins.
        seed: Seed of the draws of `consistency`.

    Raises:
        ValueError: If no case has a confidence and an outcome.
    """
    given = answers if isinstance(answers, Confidences) else choice_confidence(answers)
    if not given.paired:
        msg = f"{given.confidence.name}: no case has a confidence and an outcome"
        raise ValueError(msg)
    _, sure, right = zip(*given.paired, strict=True)
    return CalibrationReport(
        version=given.confidence.version,
        cases=len(sure),
        confidence=sum(sure) / len(sure),
        accuracy=sum(right) / len(right),
        expected_error=errors.expected_calibration_error(sure, right, bins=bins),
        expected_error_mass=errors.expected_calibration_error(sure, right, bins=bins, binning="mass"),
        root_mean_square_error=errors.root_mean_square_calibration_error(sure, right, bins=bins),
        debiased_squared_error=_debiased(sure, right, bins),
        brier=brier_decomposition(sure, right, bins=bins),
        consistency=consistency(sure, right, bins=bins, clusters=given.clusters, seed=seed),
        bins=reliability(sure, right, bins=bins, seed=seed),
    )


def _debiased(sure: tuple[float, ...], right: tuple[float, ...], bins: int) -> float | None:
    try:
        return errors.debiased_calibration_error(sure, right, bins=bins)
    except ValueError:  # no bin has two cases
        return None


def _figures(report: CalibrationReport) -> list[str]:
    """The lines above the bins."""
    parts, found = report.brier, report.consistency
    means = f"confidence {report.confidence:.3f}, accuracy {report.accuracy:.3f}"
    error = f"{report.expected_error_mass:.3f} (equal mass), {report.expected_error:.3f} (equal width)"
    chance = f"a calibrated model stays below {found.bar:.3f} (p={found.p:.3g})"
    parted = f"reliability {parts.reliability:.4f} - resolution {parts.resolution:.4f}"
    rest = f"uncertainty {parts.uncertainty:.4f} + within bins {parts.within:.4f}"
    return [
        f"{means}, overconfidence {report.overconfidence:+.3f}, n={report.cases}",
        f"expected calibration error {error}; {chance}",
        f"Brier {parts.score:.4f} = {parted} + {rest}",
    ]


def _line(each: ReliabilityBin) -> str:
    """One bin; a star where its accuracy lies outside the band."""
    outside = "" if each.band.low <= each.bin.accuracy <= each.band.high else " *"
    return (
        f"  [{each.bin.low:.3f}, {each.bin.high:.3f}] n={each.bin.cases}: confidence {each.bin.confidence:.3f}, "
        f"accuracy {each.bin.accuracy:.3f} [{each.interval.low:.3f}, {each.interval.high:.3f}], "
        f"calibrated [{each.band.low:.3f}, {each.band.high:.3f}]{outside}"
    )
