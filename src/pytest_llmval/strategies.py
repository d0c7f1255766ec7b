"""Hypothesis strategies for property tests: adversarial texts, token ids, conversations, and perturbed questions."""

from __future__ import annotations

from pytest_llmval.case_sets.perturbing.strategy import perturbed
from pytest_llmval.case_sets.strategies import conversations, texts, token_ids

__all__ = ["conversations", "perturbed", "texts", "token_ids"]
