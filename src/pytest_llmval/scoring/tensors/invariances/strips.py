"""Strips: one vector a position on both sides, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.arrays import Values
from pytest_llmval.scoring.tensors.formats import Floats, coarser, ulp_distance
from pytest_llmval.scoring.tensors.magnitudes import norm, ratio, root_mean_square

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.scoring.tensors.pairs import Flags

_NO_PROBABILITY = 700.0
"""exp(−700) is the last power that is a normal float64: a logit so far below the highest forbids its token."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Vectors of consecutive positions of one row on both sides, `[positions, width]`."""

    row: int
    first: int
    """Position of the first vector in its row."""
    actual: Values
    expected: Values
    where: str = ""
    """What the vectors are, for example `layer 1 keys, head 0`; empty for logits."""

    @property
    def is_logits(self) -> bool:
        """Whether a vector counts up to a constant, which no probability sees."""
        return not self.where


@dataclass(frozen=True, slots=True)
class Difference:
    """One position where both sides differ, and the element of its vector that differs most."""

    where: str
    row: int
    position: int
    element: int
    """Token id of a logit, else channel."""
    actual: float
    expected: float
    ulps: int
    """Numbers of `ulp_format` between the two; 0 when one is not finite."""
    ulp_format: str
    deviation: float
    """Relative L2 error of the position's vector; infinite when one side is not finite."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The outcome after one change of what must not matter."""

    name: str
    compared: int
    """Positions (of the cache: positions times layers, heads and K, V)."""
    differing: int
    """Of them with other bits, or NaN."""
    deviation: float
    """Largest relative L2 error of a position's vector."""
    failing: int
    """Positions beyond what is allowed."""
    first: Difference | None
    """The first of them by position; the first that differs if none fails."""
    worst: Difference | None
    """The position of the largest error; None when none differs."""

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing is beyond what is allowed."""
        return self.compared > 0 and not self.failing


def variant_of(name: str, strips: Iterable[Strip], limit: float | None) -> Variant:
    """All strips of one change; without a limit every bit counts."""
    compared = differing = failing = 0
    sites: list[tuple[Strip, int, float, bool]] = []
    for strip in strips:
        changed = _changed(strip)
        deviations = _deviations(strip, changed)
        beyond = changed if limit is None else deviations > limit
        compared, differing, failing = (
            compared + len(changed),
            differing + int(changed.sum()),
            failing + int(beyond.sum()),
        )
        sites += _sites(strip, changed, deviations, beyond)
    firsts = [site for site in sites if site[3]] or sites
    first = min(firsts, key=lambda site: site[0].first + site[1], default=None)
    worst = max(sites, key=lambda site: site[2], default=None)
    return Variant(
        name, compared, differing, worst[2] if worst else 0.0, failing,
        _difference(first), _difference(worst),
    )  # fmt: skip


def part(values: Values, where: slice | Sequence[int]) -> Values:
    """Some of the positions of a tensor."""
    return Values(values.numbers[where], values.bits[where], values.dtype, values.device)


def strips_of(actual: Sequence[Values], expected: Sequence[Values], rows: Iterable[int] | None = None) -> list[Strip]:
    """Whole rows of logits, side by side; by default all rows."""
    chosen = range(len(expected)) if rows is None else rows
    return [Strip(row, 0, actual[row], expected[row]) for row in chosen]


def _changed(strip: Strip) -> Flags:
    """Positions where a bit differs or either side is NaN: NaN is never equal, not even to itself."""
    nan = np.isnan(strip.actual.floats) | np.isnan(strip.expected.floats)
    if strip.actual.bits.dtype != strip.expected.bits.dtype:
        return np.asarray((nan | (strip.actual.floats != strip.expected.floats)).any(axis=1))
    return np.asarray((nan | (strip.actual.bits != strip.expected.bits)).any(axis=1))


def _deviations(strip: Strip, changed: Flags) -> Floats:
    """Relative L2 error of each position, 0 where nothing changed."""
    found = np.zeros(len(changed))
    if not changed.any():
        return found
    usual = root_mean_square(np.array([norm(_counting(row, row, strip)[0]) for row in strip.expected.floats]))
    for place in changed.nonzero()[0]:
        found[place] = _deviation(strip, int(place), usual)
    return found


def _deviation(strip: Strip, place: int, usual: float) -> float:
    actual, expected = strip.actual.floats[place], strip.expected.floats[place]
    if _disagreeing(actual, expected).any():
        return float("inf")
    ours, theirs = _counting(actual, expected, strip)
    # A vector that happens to be short is judged on the scale of its row.
    return ratio(norm(ours - theirs), max(norm(theirs), usual))


def _counting(actual: Floats, expected: Floats, strip: Strip) -> tuple[Floats, Floats]:
    """Finite elements of one vector; of logits, centred, those of tokens that have a probability on either side."""
    both = np.isfinite(actual) & np.isfinite(expected)
    if not strip.is_logits or not both.any():
        return np.where(both, actual, 0.0), np.where(both, expected, 0.0)
    possible = both & (_possible(actual, both) | _possible(expected, both))
    ours, theirs = actual[possible], expected[possible]
    return ours - ours.mean(), theirs - theirs.mean()


def _possible(logits: Floats, finite: Flags) -> Flags:
    return np.asarray(logits >= logits[finite].max() - _NO_PROBABILITY)


def _disagreeing(actual: Floats, expected: Floats) -> Flags:
    same = (np.isfinite(actual) & np.isfinite(expected)) | (actual == expected)
    return np.asarray(~same)


def _sites(strip: Strip, changed: Flags, deviations: Floats, beyond: Flags) -> list[tuple[Strip, int, float, bool]]:
    """The places of a strip that a report may name: its first changed, first failing and worst."""
    if not changed.any():
        return []
    named = {int(changed.argmax()), int(deviations.argmax())} | ({int(beyond.argmax())} if beyond.any() else set())
    return [(strip, place, float(deviations[place]), bool(beyond[place])) for place in sorted(named) if changed[place]]


def _difference(site: tuple[Strip, int, float, bool] | None) -> Difference | None:
    if site is None:
        return None
    strip, place, deviation, _ = site
    actual, expected = strip.actual.floats[place], strip.expected.floats[place]
    element = _element(actual, expected)
    form = coarser(strip.actual.dtype, strip.expected.dtype)
    pair = actual[element : element + 1], expected[element : element + 1]
    finite = bool(np.isfinite(pair).all())
    return Difference(
        where=strip.where,
        row=strip.row,
        position=strip.first + place,
        element=element,
        actual=float(pair[0][0]),
        expected=float(pair[1][0]),
        ulps=int(ulp_distance(*pair, form)[0]) if finite else 0,
        ulp_format=form.name,
        deviation=deviation,
    )


def _element(actual: Floats, expected: Floats) -> int:
    """The element that disagrees about being finite, else the one that differs most."""
    strange = _disagreeing(actual, expected)
    if strange.any():
        return int(strange.argmax())
    with np.errstate(invalid="ignore"):
        return int(np.nan_to_num(np.abs(actual - expected)).argmax())
