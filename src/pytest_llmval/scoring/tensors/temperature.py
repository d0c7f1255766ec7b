"""Gain and temperature: whether a candidate's distributions are the reference's, only sharper or flatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax
from pytest_llmval.scoring.tensors.magnitudes import ratio

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.logit_rows import LogitRows

_MOST_POSITIONS = 128  # of which drift is estimated, evenly spaced: each step of Newton's method reads them all
_STEPS = 20
_RANGE = (1 / 64, 64.0)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the candidate's logits are the reference's times a factor."""

    gain: float
    """Slope of the candidate's centred logits on the reference's; 1 when nothing drifted."""
    temperature: float
    """The candidate is most like the reference sampled at this temperature; below 1 it is over-confident."""
    kl_at_temperature: float
    """Mean KL, in nats, that remains once the candidate is brought back to temperature 1: a matter of ranking."""


def drift_of(rows: LogitRows) -> Drift:
    """Gain and temperature of the candidate, from at most 128 positions evenly spaced."""
    count = len(rows.positions)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_POSITIONS)).astype(np.int64))
    crossed = squared = 0.0
    for _, candidate, reference in rows.blocks(chosen):
        products = _centred_products(candidate, reference)
        crossed, squared = crossed + products[0], squared + products[1]
    inverse = _best_inverse(rows, chosen)
    remaining = sum(
        float(kl_divergence(log_softmax(reference), log_softmax(candidate * inverse)).sum())
        for _, candidate, reference in rows.blocks(chosen)
    )
    gain = crossed / squared if squared else ratio(crossed, squared)
    return Drift(gain, inverse, remaining / len(chosen))


def _centred_products(candidate: Floats, reference: Floats) -> tuple[float, float]:
    """Σ of candidate × reference and of reference × reference, each less its mean over the vocabulary."""
    finite = np.isfinite(candidate) & np.isfinite(reference)
    count = np.maximum(finite.sum(axis=-1, keepdims=True), 1)
    ours, theirs = (np.where(finite, side, 0.0) for side in (candidate, reference))
    ours = np.where(finite, ours - ours.sum(axis=-1, keepdims=True) / count, 0.0)
    theirs = np.where(finite, theirs - theirs.sum(axis=-1, keepdims=True) / count, 0.0)
    return float((ours * theirs).sum()), float((theirs * theirs).sum())


def _best_inverse(rows: LogitRows, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """The factor on the candidate's logits with the least mean KL to it: Newton's method on a convex function."""
    factor = 1.0
    for _ in range(_STEPS):
        slope = curvature = 0.0
        for _, candidate, reference in rows.blocks(chosen):
            parts = _derivatives(candidate, reference, factor)
            slope, curvature = slope + parts[0], curvature + parts[1]
        step = slope / curvature if curvature else 0.0
        # A step is at most a halving or doubling, since far from the minimum the curvature misleads.
        updated = float(np.clip(factor - step, factor / 2, factor * 2).clip(*_RANGE))
        if abs(updated - factor) <= 1e-7 * factor:
            break
        factor = updated
    return factor


def _derivatives(candidate: Floats, reference: Floats, factor: float) -> tuple[float, float]:
    """First and second derivative, by the factor, of Σ KL(P ‖ softmax(factor · candidate))."""
    finite = np.isfinite(candidate)
    logits = np.where(finite, candidate, 0.0)
    p, q = np.exp(log_softmax(reference)), np.exp(log_softmax(candidate * factor))
    mean = (q * logits).sum(axis=-1)
    variance = (q * (logits - mean[:, None]) ** 2).sum(axis=-1)
    return float((mean - (p * logits).sum(axis=-1)).sum()), float(variance.sum())
