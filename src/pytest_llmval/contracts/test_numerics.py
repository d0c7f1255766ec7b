"""The numbers of any model folder."""

from __future__ import annotations

from pytest_llmval.contracts.numerics import NumericsContract


class TestNumerics(NumericsContract):
    """As it is."""
