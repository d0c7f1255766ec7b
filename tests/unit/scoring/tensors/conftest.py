"""Tensors of a hidden state's shape, and property tests without a deadline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

# Property tests here compare numbers, not speed: a busy machine is no failure.
settings.register_profile("numbers", deadline=None)
settings.load_profile("numbers")


@pytest.fixture
def hidden() -> np.ndarray:
    """A hidden state `[batch 2, positions 6, channels 32]` in float32, seed 0."""
    return np.random.default_rng(0).normal(size=(2, 6, 32)).astype(np.float32)


@pytest.fixture
def logits() -> np.ndarray:
    """Logits `[positions 120, vocabulary 40]` in float64, seed 1."""
    return 2.0 * np.random.default_rng(1).normal(size=(120, 40))


@pytest.fixture
def candidate(logits) -> np.ndarray:
    """The logits with a little noise, seed 2."""
    return logits + 0.3 * np.random.default_rng(2).normal(size=logits.shape)


@pytest.fixture
def token_ids() -> np.ndarray:
    """Ids of 120 input tokens, seed 3."""
    return np.random.default_rng(3).integers(0, 40, size=120)
