"""Distributions over a vocabulary, from logits: divergences and entropy in float64 and nats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats


def log_softmax(logits: Floats) -> Floats:
    """Natural log-probabilities over the last axis, `[..., vocabulary]`; −Inf stays −Inf.

    Never the logarithm of a softmax, which underflows to −Inf where a logit is 746 below the largest.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def kl_divergence(log_p: Floats, log_q: Floats) -> Floats:
    """KL(P‖Q) = Σ p (ln p − ln q) at each position, in nats; `[..., vocabulary]` gives `[...]`.

    Written as Σ p (eᵈ − 1 − d) with d = ln q − ln p, which is the same sum for normalised distributions and has no
    negative term: 0 for equal distributions, and never below 0 by rounding. Infinite where q is 0 and p is not.
    """
    present = np.isfinite(log_p)
    apart = np.where(present, log_q, 0.0) - np.where(present, log_p, 0.0)
    p, q, small = np.exp(log_p), np.exp(log_q), np.minimum(apart, 1.0)
    near = _product(p, np.expm1(small) - small)
    far = q - p - p * np.maximum(apart, 1.0)  # eᵈ by itself may overflow
    terms = np.where(present, np.where(apart > 1.0, far, near), q)
    return np.asarray(np.maximum(terms, 0.0).sum(axis=-1))


def js_divergence(log_p: Floats, log_q: Floats) -> Floats:
    """Jensen-Shannon divergence at each position, in nats, in [0, ln 2]: the mean of both KL to their average."""
    log_mean = np.logaddexp(log_p, log_q) - math.log(2)
    both = 0.5 * kl_divergence(log_p, log_mean) + 0.5 * kl_divergence(log_q, log_mean)
    return np.minimum(both, math.log(2))


def total_variation(log_p: Floats, log_q: Floats) -> Floats:
    """Half the sum of |p − q| at each position, in [0, 1]."""
    return np.asarray(0.5 * np.abs(np.exp(log_p) - np.exp(log_q)).sum(axis=-1))


def entropy(log_p: Floats) -> Floats:
    """−Σ p ln p at each position, in nats."""
    return np.asarray(-(np.exp(log_p) * np.where(np.isfinite(log_p), log_p, 0.0)).sum(axis=-1))


def _product(probability: Floats, factor: Floats) -> Floats:
    """P · factor, 0 where p is: an underflowed probability times an infinite factor is no NaN."""
    positive = probability > 0
    return np.multiply(probability, factor, out=np.zeros_like(probability), where=positive)
