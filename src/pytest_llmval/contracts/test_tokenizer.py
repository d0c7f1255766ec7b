"""The tokenizer of any model folder."""

from __future__ import annotations

from pytest_llmval.contracts.tokenizer import TokenizerContract


class TestTokenizer(TokenizerContract):
    """As it is."""
