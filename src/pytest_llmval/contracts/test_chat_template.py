"""The chat template of any model folder."""

from __future__ import annotations

from pytest_llmval.contracts.chat_template import ChatTemplateContract


class TestChatTemplate(ChatTemplateContract):
    """As it is."""
