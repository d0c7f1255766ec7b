"""Contracts: ready-made test classes that any model version can be held to.

`pytest --pyargs pytest_llmval.contracts --model-version FOLDER` runs all of them; a suite of its own takes one by
subclassing it:

    from pytest_llmval.contracts import NumericsContract

    class TestNumerics(NumericsContract):
        prompts = ["Where is my order?", "The quick brown fox jumps over the lazy dog."]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmval.contracts.chat_template import ChatTemplateContract
    from pytest_llmval.contracts.numerics import NumericsContract
    from pytest_llmval.contracts.server import ServerContract
    from pytest_llmval.contracts.tokenizer import TokenizerContract

_HOMES = {
    "ChatTemplateContract": "chat_template",
    "NumericsContract": "numerics",
    "ServerContract": "server",
    "TokenizerContract": "tokenizer",
}

__all__ = ["ChatTemplateContract", "NumericsContract", "ServerContract", "TokenizerContract"]


def __getattr__(name: str) -> Any:
    """Each contract is imported on first use."""
    if name not in _HOMES:
        msg = f"module 'pytest_llmval.contracts' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"pytest_llmval.contracts.{_HOMES[name]}"), name)
