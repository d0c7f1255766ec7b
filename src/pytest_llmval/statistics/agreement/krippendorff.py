"""Krippendorff's alpha: agreement of any number of raters on labels, ranks or measurements, some of them missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from pytest_llmval.statistics.agreement.coefficient import Agreement, widened_interval
from pytest_llmval.statistics.agreement.ratings import check_items, is_missing
from pytest_llmval.statistics.intervals import Interval
from pytest_llmval.statistics.quantiles import check_confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    _Scale = Callable[[Floats], Floats]
    """Sum over the pairs of labels of each row of counts ``[rows, values]``, 1 for a pair at the ends of the scale."""

Level = Literal["nominal", "ordinal", "interval", "ratio"]

_FEWEST_LABELS = 2


@dataclass(frozen=True, slots=True)
class _Disagreement:
    """Disagreement within units and in all, from 0 to 1 for two labels at the ends of the scale."""

    scale: _Scale
    units: Floats
    """Mean over the pairs of labels of each unit ``[units]``."""
    shares: Floats
    """Share of all labels that each unit has ``[units]``."""
    expected: float
    """Mean over the pairs of all labels."""

    @property
    def alpha(self) -> float:
        return max(-1.0, 1 - float(self.units @ self.shares) / self.expected)  # rounding must not leave the range

    def of_draw(self, draw: NDArray[np.intp], totals: Floats) -> _Disagreement:
        """That of units drawn, on the same scale."""
        shares = self.shares[draw] / self.shares[draw].sum()
        return _Disagreement(self.scale, self.units[draw], shares, float(_means(totals[np.newaxis], self.scale)[0]))


def krippendorff_alpha(
    units: Sequence[Sequence[Hashable]],
    *,
    level: Level,
    confidence: float = 0.95,
    resamples: int = 1999,
    seed: int = 0,
) -> Agreement:
    """Agreement of any number of raters, 1 − disagreement observed / disagreement expected by chance.

    Args:
        units: The labels of each unit in any order; a rater's missing label is None, NaN or left out. Units with
            fewer than two labels say nothing about agreement and are not used.
        level: `nominal` labels are equal or not; `ordinal` numbers are ranks, their distance the labels between them;
            `interval` numbers are apart by their difference; `ratio` numbers, 0 or more, by difference over sum.
        confidence: Two-sided coverage aimed at, in (0, 1).
        resamples: Samples of units drawn for the interval, at least 1.
        seed: Seed of the draw: the same seed gives the same interval.

    Returns:
        Alpha with the percentile interval of resampled units, widened by `widened_interval` where that is too sure.
        Agreement observed and expected is 1 − disagreement, where two labels at the ends of the scale disagree by 1.

    Raises:
        ValueError: If fewer than two units have two labels, all labels are the same (alpha is then 0/0), the level is
            unknown, or needs numbers that labels are not.

    Source:
        K. Krippendorff, Content Analysis (2004), chapter 11. His own resampling draws pairs of labels; ours draws
        units, which are what is sampled. Draws that hold one label only have no alpha and are left out.

    >>> units = [["a", "a"], ["a", "b", "b"], ["b", "b", None], ["a", None, None]]
    >>> round(krippendorff_alpha(units, level="nominal").value, 2)
    0.5
    """
    _check_options(level, confidence, resamples)
    rated = [labels for unit in units if len(labels := _present(unit)) >= _FEWEST_LABELS]
    check_items(len(rated))
    values = _values(rated, level)
    counts = _counts(rated, values)
    found = _disagreement(counts, values, level)
    alphas = _resampled_alphas(counts, values, level, resamples, seed)
    low, high = np.quantile(alphas, [(1 - confidence) / 2, (1 + confidence) / 2])
    around = Interval(min(float(low), found.alpha), max(float(high), found.alpha))
    seen, chance = 1 - float(found.units @ found.shares), 1 - found.expected
    is_graded = level != "nominal"
    interval = widened_interval(around, 1 - found.units, chance, confidence, is_graded=is_graded, shares=found.shares)
    method = f"Krippendorff's alpha, {level}"
    return Agreement(found.alpha, interval, float(np.std(alphas)), seen, chance, len(rated), method)


def _check_options(level: Level, confidence: float, resamples: int) -> None:
    check_confidence(confidence)
    if level not in get_args(Level) or resamples < 1:
        words = "'nominal', 'ordinal', 'interval' or 'ratio'"
        msg = f"level={level!r}, resamples={resamples!r}; expected {words}, and at least 1 resample"
        raise ValueError(msg)


def _present(unit: Sequence[Hashable]) -> list[Hashable]:
    return [label for label in unit if not is_missing(label)]


def _values(rated: Sequence[Sequence[Hashable]], level: Level) -> list[Hashable]:
    """The labels in use, numbers in rising order."""
    values = list(dict.fromkeys(label for labels in rated for label in labels))
    if len(values) < _FEWEST_LABELS:
        msg = (
            f"all {len(rated)} units have the label {values[0]!r} only, so that alpha is 0/0; "
            "expected at least 2 labels in use, or gwet_ac1 with all labels as categories="
        )
        raise ValueError(msg)
    return values if level == "nominal" else sorted(_numbers(values, level))


def _numbers(values: Sequence[Any], level: Level) -> list[Any]:
    """The labels, when they are numbers that the level allows."""
    for value in values:
        if not isinstance(value, Real) or not math.isfinite(value):
            msg = (
                f"level={level!r} needs finite numbers, and label {value!r} is none; expected them, or level='nominal'"
            )
            raise ValueError(msg)
        if level == "ratio" and value < 0:
            msg = f"level='ratio' measures from 0, and label {value!r} lies below; expected 0 or more, or 'interval'"
            raise ValueError(msg)
    return list(values)


def _counts(rated: Sequence[Sequence[Hashable]], values: Sequence[Hashable]) -> Floats:
    """How often each unit has each label ``[units, values]``."""
    places = {value: place for place, value in enumerate(values)}
    counts = np.zeros((len(rated), len(values)))
    for row, labels in zip(counts, rated, strict=True):
        np.add.at(row, [places[label] for label in labels], 1)
    return counts


def _disagreement(counts: Floats, values: Sequence[Any], level: Level) -> _Disagreement:
    totals, sizes = counts.sum(axis=0), counts.sum(axis=1)
    scale = _scale(totals, values, level)
    return _Disagreement(scale, _means(counts, scale), sizes / sizes.sum(), float(_means(totals[np.newaxis], scale)[0]))


def _means(counts: Floats, scale: _Scale) -> Floats:
    """Mean over the pairs of labels of each row ``[rows]``."""
    sizes = counts.sum(axis=1)
    means = np.maximum(0.0, scale(counts) / (sizes * (sizes - 1)))  # not below 0 by rounding
    return np.asarray(means, dtype=float)


def _scale(totals: Floats, values: Sequence[Any], level: Level) -> _Scale:
    if level == "nominal":
        return lambda counts: counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    if level == "ratio":
        return _ratio_scale(np.array(values, dtype=float))
    # The rank of a label is the middle of all that are equal to it.
    places = np.cumsum(totals) - totals / 2 if level == "ordinal" else np.array(values, dtype=float)
    places = (places - places[0]) / (places[-1] - places[0])
    # Σ (x − y)² over pairs is 2·(n·Σ x² − (Σ x)²).
    return lambda counts: 2 * (counts.sum(axis=1) * (counts @ places**2) - (counts @ places) ** 2)


def _ratio_scale(values: Floats) -> _Scale:
    sums = values[:, np.newaxis] + values
    gaps = np.divide(values[:, np.newaxis] - values, sums, out=np.zeros_like(sums), where=sums > 0) ** 2
    gaps /= gaps.max()
    return lambda counts: ((counts @ gaps) * counts).sum(axis=1)


def _resampled_alphas(counts: Floats, values: Sequence[Any], level: Level, resamples: int, seed: int) -> list[float]:
    """Alpha of the units themselves, and of each sample of them that holds two different labels."""
    random, whole = np.random.default_rng(seed), _disagreement(counts, values, level)
    alphas = [whole.alpha]
    for _ in range(resamples):
        draw = random.integers(0, len(counts), len(counts))
        totals = counts[draw].sum(axis=0)
        if np.count_nonzero(totals) < _FEWEST_LABELS:
            continue
        ranked = level == "ordinal"  # ranks change with the draw
        found = _disagreement(counts[draw], values, level) if ranked else whole.of_draw(draw, totals)
        alphas.append(found.alpha)
    return alphas
