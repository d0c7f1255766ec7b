"""Signature: the shape of a stage's error beside the control's, from which one reads what kind of fault it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.magnitudes import ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.scoring.tensors.layers.sums import ErrorSums, Floats, Sides

_TREND = 0.7
_BEYOND = 1e300  # an error where the control has none: infinity has no median


@dataclass(frozen=True, slots=True)
class Peak:
    """The slice of an axis where the candidate's error is largest in units of the control's."""

    height: float
    """Squared error there over the control's, relative to the median of all slices (at least 1)."""
    place: tuple[int, ...]
    size: int
    """Elements in the slice."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How the error of a candidate differs from that of the control at one stage."""

    is_none: bool
    """Whether candidate and control agree bit for bit, so that there is no error but the control's."""
    ratio: float
    """‖error‖ / ‖error of the control‖; 1 where both are none."""
    gain: float
    """The stage's update times 1 + gain explains the most of what the control does not have."""
    gain_z: float
    """Gain in standard deviations of the control's error, if that were independent noise."""
    gain_share: float
    """Norm of what the gain makes of the update, in units of the control's error."""
    channel: Peak
    row: Peak
    """Of the prompts."""
    position: Peak
    token: Peak
    """Of single tokens: (prompt, position)."""
    trend: float
    """Rank correlation of the error ratio with the position, in [−1, 1]."""


def signature_of(sums: ErrorSums) -> Signature:
    """The signature of a stage, from sums over all prompts."""
    prompts = sums.prompts
    width = len(sums.channels[0])
    lengths = [len(ours) for ours, _ in prompts]
    rows = np.array([ours.sum() for ours, _ in prompts]), np.array([theirs.sum() for _, theirs in prompts])
    tokens = np.concatenate([ours for ours, _ in prompts]), np.concatenate([theirs for _, theirs in prompts])
    positions, counts = _by_position(prompts, max(lengths))
    share = 0.0 if sums.identical else _gain_share(sums)
    places = [(row, at) for row, length in enumerate(lengths) for at in range(length)]
    return Signature(
        is_none=sums.identical,
        ratio=1.0 if sums.identical else _over(sums.error, sums.control),
        gain=ratio(sums.gain, sums.update) if sums.gain >= 0 else -ratio(-sums.gain, sums.update),
        gain_z=share * math.sqrt(sums.elements),
        gain_share=abs(share),
        channel=_peak(sums.channels, [(at,) for at in range(width)], [sum(lengths)] * width),
        row=_peak(rows, [(at,) for at in range(len(lengths))], [each * width for each in lengths]),
        position=_peak(positions, [(at,) for at in range(len(counts))], [int(each) * width for each in counts]),
        token=_peak(tokens, places, [width] * len(places)),
        trend=_trend(positions),
    )


def grows_with_position(signature: Signature) -> bool:
    """Whether the error is larger the later the position."""
    return signature.trend > _TREND


def _over(part: float, whole: float) -> float:
    return ratio(part, whole) if part or whole else 1.0


def _gain_share(sums: ErrorSums) -> float:
    """<e − r, u> / (‖u‖ · ‖r‖), signed."""
    return math.copysign(ratio(abs(sums.gain), math.sqrt(sums.update) * sums.control), sums.gain) if sums.gain else 0.0


def _peak(sides: Sides, places: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> Peak:
    quotients = _quotients(sides)
    at = int(quotients.argmax())
    return Peak(float(quotients[at] / max(float(np.median(quotients)), 1.0)), places[at], sizes[at])


def _quotients(sides: Sides) -> Floats:
    ours, theirs = sides
    beyond = np.where(ours > 0, _BEYOND, 1.0)
    return np.divide(ours, theirs, out=beyond, where=theirs > 0)


def _by_position(prompts: Iterable[Sides], length: int) -> tuple[Sides, Floats]:
    """Sums over prompts at each position from the start of the text, and how many prompts reach it."""
    ours, theirs, counts = np.zeros(length), np.zeros(length), np.zeros(length)
    for mine, other in prompts:
        ours[: len(mine)] += mine
        theirs[: len(mine)] += other
        counts[: len(mine)] += 1
    return (ours, theirs), counts


def _trend(sides: Sides) -> float:
    quotients = _quotients(sides)
    if len(quotients) < 3 or np.ptp(quotients) == 0:  # noqa: PLR2004 - fewer points have no trend
        return 0.0
    ranks = quotients.argsort(kind="stable").argsort(kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])
