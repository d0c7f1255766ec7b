"""Distributions: divergences by hand, and their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import entropy as scipy_entropy

from pytest_llmval.scoring.tensors.distributions import (
    entropy,
    js_divergence,
    kl_divergence,
    log_softmax,
    total_variation,
)

rows = arrays.arrays(np.float64, (3, 6), elements=st.floats(-60, 60))


def _logs(*probabilities: float) -> np.ndarray:
    return np.log(np.array([probabilities]))


def test_kl_by_hand():
    """½ ln(½ / ¼) + ½ ln(½ / ¾) = ½ ln 2 + ½ ln ⅔ = ½ ln(4/3) = 0.1438."""
    assert kl_divergence(_logs(0.5, 0.5), _logs(0.25, 0.75))[0] == pytest.approx(0.5 * math.log(4 / 3), rel=1e-14)


def test_the_other_direction_by_hand():
    """¼ ln ½ + ¾ ln(3/2) = 0.1308."""
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)

    assert kl_divergence(_logs(0.25, 0.75), _logs(0.5, 0.5))[0] == pytest.approx(expected, rel=1e-13)


@given(rows, rows)
def test_kl_agrees_with_scipy_and_torch(p, q):
    """Two independent oracles."""
    log_p, log_q = log_softmax(p), log_softmax(q)

    found = kl_divergence(log_p, log_q)

    assert found == pytest.approx(scipy_entropy(np.exp(log_p), np.exp(log_q), axis=-1), rel=1e-9, abs=1e-12)
    by_torch = torch.nn.functional.kl_div(torch.tensor(log_q), torch.tensor(log_p), log_target=True, reduction="none")
    assert found == pytest.approx(by_torch.sum(-1).numpy(), rel=1e-9, abs=1e-12)


@given(rows, rows)
def test_divergences_keep_their_bounds(p, q):
    """KL ≥ 0, JS in [0, ln 2], total variation in [0, 1], and Pinsker: TV² ≤ KL / 2."""
    log_p, log_q = log_softmax(p), log_softmax(q)
    kl, js, variation = (each(log_p, log_q) for each in (kl_divergence, js_divergence, total_variation))

    assert (kl >= 0).all()
    assert ((js >= 0) & (js <= math.log(2))).all()
    assert ((variation >= 0) & (variation <= 1 + 1e-12)).all()
    assert (variation**2 <= kl / 2 + 1e-12).all()


@given(rows)
def test_divergences_of_a_distribution_from_itself_are_zero(p):
    """Exactly, not up to rounding; of JS up to the rounding of the mean."""
    log_p = log_softmax(p)

    assert (kl_divergence(log_p, log_p) == 0).all()
    assert (total_variation(log_p, log_p) == 0).all()
    assert (js_divergence(log_p, log_p) < 1e-28).all()


@given(rows, rows)
def test_js_is_symmetric_and_agrees_with_scipy(p, q):
    """By its definition from SciPy's KL; SciPy's own Jensen-Shannon takes roots of rounding errors below 0."""
    log_p, log_q = log_softmax(p), log_softmax(q)

    assert js_divergence(log_p, log_q) == pytest.approx(js_divergence(log_q, log_p), rel=1e-12, abs=1e-15)
    sides = np.exp(log_p), np.exp(log_q)
    oracle = sum(scipy_entropy(side, (sides[0] + sides[1]) / 2, axis=-1) / 2 for side in sides)
    assert js_divergence(log_p, log_q) == pytest.approx(oracle, rel=1e-9, abs=1e-12)


@given(rows, st.floats(-1e3, 1e3))
def test_a_constant_on_all_logits_changes_nothing(p, shift):
    """A softmax does not see it, though the logits' own error would be large."""
    assert kl_divergence(log_softmax(p), log_softmax(p + shift)) == pytest.approx(np.zeros(3), abs=1e-12)


def test_a_softmax_before_its_logarithm_would_underflow():
    """At a distance of 800 the probability is 0 in float64, its logarithm is not."""
    logits = np.array([[0.0, -800.0]])

    assert log_softmax(logits)[0, 1] == -800.0
    assert torch.tensor(logits).softmax(-1).log()[0, 1] == -math.inf
    assert kl_divergence(log_softmax(-logits), log_softmax(logits))[0] == pytest.approx(800.0)


def test_tiny_divergences_keep_their_digits():
    """Logits of two tokens that differ by d: KL = p (1 − p) d² / 2; the plain sum would lose it at d = 1e-9."""
    found = kl_divergence(log_softmax(np.array([[0.0, 0.0]])), log_softmax(np.array([[1e-6, 0.0]])))

    assert found[0] == pytest.approx(1e-12 / 8, rel=1e-3)


def test_forbidden_tokens_are_impossible_not_nan():
    """−Inf logits: 0 · ln 0 = 0 where both forbid, infinite where only the candidate does."""
    both, reference = np.array([[0.0, -np.inf, 1.0]]), np.array([[0.0, -3.0, 1.0]])

    assert kl_divergence(log_softmax(both), log_softmax(both))[0] == 0
    assert kl_divergence(log_softmax(reference), log_softmax(both))[0] == math.inf
    assert 0 < kl_divergence(log_softmax(both), log_softmax(reference))[0] < 1
    assert entropy(log_softmax(both))[0] == pytest.approx(scipy_entropy([1, math.e]))


def test_entropy_of_an_even_distribution_is_the_logarithm_of_its_size():
    """Ln 6."""
    assert entropy(log_softmax(np.zeros((1, 6))))[0] == pytest.approx(math.log(6))
