"""Consistency: what calibration error a model shows that is calibrated, by drawing outcomes from its confidences.

Against a fixed bar, say "expected calibration error at most 0.05", a perfect model fails nearly always with 100 cases
and never with 10 000. Against its own chance it fails as often as the level says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.statistics.calibration.bins import BINS, bins_of, checked, places_of
from pytest_llmval.statistics.intervals import Interval, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.calibration.bins import Bin, Binning

    Floats = NDArray[np.float64]

_CELLS_AT_ONCE = 2_000_000
_TIE = 1e-12  # the same error summed in another order differs in its last bits


@dataclass(frozen=True, slots=True)
class Consistency:
    """A calibration error beside those of a calibrated model with the same confidences."""

    error: float
    """The expected calibration error observed."""
    p: float
    """Share of calibrated outcomes with at least this error, the observed one among them."""
    bar: float
    """Error that a calibrated model exceeds with a chance of at most `level`."""
    level: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One point of a reliability diagram."""

    bin: Bin
    interval: Interval
    """Wilson's interval of the bin's accuracy."""
    band: Interval
    """Where the accuracy of a calibrated model would lie."""


def consistency_p(
    confidences: Sequence[float],
    correct: Sequence[bool | float],
    *,
    bins: int = BINS,
    binning: Binning = "mass",
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 1999,
    seed: int = 0,
) -> float:
    """P-value of the expected calibration error if the model were calibrated; the arguments are those of `consistency`.

    >>> consistency_p([0.9] * 50, [1] * 45 + [0] * 5)
    1.0
    """
    options = {"bins": bins, "clusters": clusters, "resamples": resamples, "seed": seed}
    return consistency(confidences, correct, binning=binning, **options).p  # type: ignore[arg-type]


def consistency(
    confidences: Sequence[float],
    correct: Sequence[bool | float],
    *,
    bins: int = BINS,
    binning: Binning = "mass",
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.05,
    resamples: int = 1999,
    seed: int = 0,
) -> Consistency:
    """The expected calibration error against errors under y* ~ Bernoulli(confidence).

    A calibrated model gets p ≤ α with a chance of at most α, whatever its confidences and the number of cases.

    Args:
        confidences: Probability the model gave its answer, in [0, 1].
        correct: Whether the answer was right, 1 or 0.
        bins: As for `bins_of`.
        binning: As for `bins_of`.
        clusters: Cluster of each case; its cases are taken to be right or wrong together as far as their confidences
            allow, which is the most that dependence can do to an average.
        level: Level of `bar`, in (0, 1).
        resamples: Outcomes drawn, at least 1.
        seed: Seed of the draw: the same seed gives the same value.

    Raises:
        ValueError: If columns or bins are impossible, or ``resamples`` is below 1.

    Source:
        J. Bröcker, L. A. Smith, Weather Forecast. 22 (2007) 651; p-values: J. Vaicenavicius et al., AISTATS (2019).
    """
    sure, right = checked(confidences, correct)
    if resamples < 1 or not 0 < level < 1:
        msg = f"resamples={resamples!r}, level={level!r}; expected at least 1 and a level in (0, 1)"
        raise ValueError(msg)
    places = places_of(sure, bins=bins, binning=binning)
    drawn = np.concatenate([_errors(sure, each, places) for each in _outcomes(sure, clusters, resamples, seed)])
    observed = float(_errors(sure, right[np.newaxis], places)[0])
    p = (1 + int((drawn >= observed - _TIE).sum())) / (resamples + 1)
    return Consistency(observed, p, _bar(drawn, level), level)


def reliability(
    confidences: Sequence[float],
    correct: Sequence[bool | float],
    *,
    bins: int = BINS,
    binning: Binning = "mass",
    confidence: float = 0.90,
    resamples: int = 1999,
    seed: int = 0,
) -> tuple[ReliabilityBin, ...]:
    """What a reliability diagram shows: each bin with the interval of its accuracy and the band of a calibrated model.

    Args:
        confidences: As for `consistency`.
        correct: As for `consistency`.
        bins: As for `bins_of`.
        binning: As for `bins_of`.
        confidence: Two-sided coverage of interval and band, of each bin by itself.
        resamples: As for `consistency`.
        seed: As for `consistency`.

    Raises:
        ValueError: As for `consistency`.
    """
    sure, _ = checked(confidences, correct)
    found = bins_of(confidences, correct, bins=bins, binning=binning)
    places = places_of(sure, bins=bins, binning=binning)
    drawn = np.concatenate([_rates(each, places) for each in _outcomes(sure, None, resamples, seed)])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return tuple(
        ReliabilityBin(
            each, wilson_interval(each.accuracy * each.cases, each.cases, confidence), Interval(*map(float, band))
        )
        for each, band in zip(found, zip(low, high, strict=True), strict=True)
    )


def _outcomes(
    sure: Floats, clusters: Sequence[Hashable] | None, resamples: int, seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Outcomes of a calibrated model ``[resamples, cases]``, some rows at a time."""
    random = np.random.default_rng(seed)
    units = _units(clusters, sure.size)
    rows = max(1, _CELLS_AT_ONCE // sure.size)
    for start in range(0, resamples, rows):
        luck = random.random((min(rows, resamples - start), int(units.max()) + 1))
        yield luck[:, units] < sure


def _units(clusters: Sequence[Hashable] | None, cases: int) -> NDArray[np.int64]:
    if clusters is None:
        return np.arange(cases)
    if len(clusters) != cases:
        msg = f"{cases} confidences but {len(clusters)} clusters; expected one cluster a confidence"
        raise ValueError(msg)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    return np.array([numbers[name] for name in clusters])


def _errors(sure: Floats, outcomes: NDArray[np.generic], places: NDArray[np.int64]) -> Floats:
    """Expected calibration error of each row of outcomes ``[rows]``."""
    gaps = _sums(sure[np.newaxis], places) - _sums(outcomes, places)
    return np.asarray(np.abs(gaps).sum(axis=1) / sure.size)


def _rates(outcomes: NDArray[np.generic], places: NDArray[np.int64]) -> Floats:
    """Share of right answers in each bin that holds a case ``[rows, bins]``."""
    return _sums(outcomes, places) / _sums(np.ones((1, places.size)), places)


def _sums(rows: NDArray[np.generic], places: NDArray[np.int64]) -> Floats:
    """Sum of each bin that holds a case ``[rows, bins]``."""
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    return np.add.reduceat(rows[:, order].astype(float), starts, axis=1)


def _bar(drawn: Floats, level: float) -> float:
    """The least error of which at most a share ``level`` of draws, an observed one included, lies above."""
    ranked = np.sort(drawn)
    above = int(level * (drawn.size + 1)) - 1  # draws above that p ≤ level still allows
    return float(ranked[drawn.size - 1 - above]) if above >= 0 else 1.0
