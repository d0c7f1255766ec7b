"""Tensors, and goldens of them as a run would keep them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from pytest_llmval.scoring.tensors.golden.allowance import Asked
from pytest_llmval.scoring.tensors.golden.comparing import compare_with_golden, kept_tensors
from pytest_llmval.scoring.tensors.golden.stored import Author, StoredGolden

settings.register_profile("goldens", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("goldens")

HERE = {"device": "cpu", "machine": "x86_64", "torch": "2.13.0"}


@pytest.fixture(scope="session")
def here():
    """The facts of this environment."""
    return HERE


@pytest.fixture(scope="session")
def there():
    """The facts of another environment."""
    return HERE | {"torch": "2.12.0"}


@pytest.fixture(scope="session")
def golden_of():
    """Gives the golden that a value becomes."""

    def made(value, tier="full", *, name="test_x", facts=HERE, written_at="2026-07-01T10:00:00.000+00:00"):
        tensors, texts = kept_tensors(value, tier)
        return StoredGolden(name, facts, tier, Author("v1", "ab" * 32, "0.1.0"), written_at, tensors, texts)

    return made


@pytest.fixture(scope="session")
def compared():
    """Gives the comparison of a value with a golden."""

    def comparison(value, golden, *, facts=HERE, **asked):
        return compare_with_golden(value, golden, Asked(**asked), facts)

    return comparison


@pytest.fixture(scope="session")
def hidden() -> np.ndarray:
    """A hidden state `[positions 48, channels 64]` in float32, seed 0."""
    return np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
