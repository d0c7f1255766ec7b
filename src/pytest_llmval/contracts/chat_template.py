"""The contract of a chat template, as tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_llmval.contracts.profiles import tell
from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.tokens.capabilities import flips_of
from pytest_llmval.scoring.tokens.chat_template.contract import check_chat_template
from pytest_llmval.scoring.tokens.chat_template.equality import assert_chat_templates_equal
from pytest_llmval.scoring.tokens.chat_template.probing import probe_chat_template
from pytest_llmval.scoring.tokens.chat_template.rendering import has_template
from pytest_llmval.scoring.tokens.contract import ContractReport
from pytest_llmval.stash import skip

if TYPE_CHECKING:
    from collections.abc import Sequence


class ChatTemplateContract:
    """What every chat template keeps, and what this one must not lose against its baseline."""

    conversations: ClassVar[Sequence[Sequence[Any]] | None] = None
    """Lists of messages to try besides the built-in ones."""

    def test_renders_conversations_faithfully(self, tokenizer: Any) -> None:
        """Ordinary conversations are accepted, with all their text, one BOS at most, and the ids of the text."""
        _skip_without_template(tokenizer, "the tokenizer")

        report = check_chat_template(tokenizer, conversations=self.conversations)
        tell(report.profile, "chat template")

        concluded(report)

    def test_can_do_what_the_baseline_can(self, tokenizer: Any, baseline_tokenizer: Any) -> None:
        """No capability flipped: stable prefixes, system role, tools, end of answer, control tokens."""
        _skip_without_template(baseline_tokenizer, "the baseline")
        if not has_template(tokenizer):
            raise ModelRegression("chat template: the baseline has one -> the candidate has none")

        found = probe_chat_template(tokenizer)

        flips = flips_of(found, probe_chat_template(baseline_tokenizer))
        concluded(ContractReport("chat template", found, (), flips=flips))

    @pytest.mark.llmval_same_weights
    def test_gives_the_ids_of_the_baseline(self, tokenizer: Any, baseline_tokenizer: Any) -> None:
        """The same weights need the same ids for every conversation."""
        _skip_without_template(baseline_tokenizer, "the baseline")

        assert_chat_templates_equal(tokenizer, baseline_tokenizer, self.conversations)


def _skip_without_template(tokenizer: Any, whose: str) -> None:
    if not has_template(tokenizer):
        skip(f"{whose} has no chat template")
