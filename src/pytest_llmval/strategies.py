"""Hypothesis strategies for property tests of tokenizers and templates: adversarial texts, token ids, conversations."""

from __future__ import annotations

from pytest_llmval.case_sets.strategies import conversations, texts, token_ids

__all__ = ["conversations", "texts", "token_ids"]
