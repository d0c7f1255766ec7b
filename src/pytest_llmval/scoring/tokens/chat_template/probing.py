"""Probing a chat template: one question a capability, answered by the ids of a telling conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tokens.chat_template import injection, stability, turns
from pytest_llmval.scoring.tokens.chat_template.profile import ChatTemplateProfile
from pytest_llmval.scoring.tokens.chat_template.rendering import refuse_without_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.scoring.tokens.capabilities import Probed

_QUESTIONS: dict[str, Callable[[Any], Probed]] = {
    "prompt_stable": stability.prompt_stable,
    "turns_stable": stability.turns_stable,
    "tools_stable": stability.tools_stable,
    "keeps_history": stability.keeps_history,
    "separates_user_text": injection.separates_user_text,
    "sanitizes_user_text": injection.sanitizes_user_text,
    "writes_bos": turns.writes_bos,
    "doubles_bos_as_text": turns.doubles_bos_as_text,
    "prompts_generation": turns.prompts_generation,
    "prompt_meets_answer": turns.prompt_meets_answer,
    "checks_role_order": turns.checks_role_order,
    "refuses_unknown_roles": turns.refuses_unknown_roles,
    "ends_answer_with_control_token": turns.ends_answer_with_control_token,
    "masks_end_of_answer": turns.masks_end_of_answer,
    "keeps_white_space": turns.keeps_white_space,
    "depends_on_date": turns.depends_on_date,
    "supports_system": turns.supports_system,
    "supports_tools": turns.supports_tools,
    "ends_with_white_space": turns.ends_with_white_space,
    "control_tokens": turns.written_control_tokens,
}


def probe_chat_template(tokenizer: Any) -> ChatTemplateProfile:
    """The capabilities of a tokenizer's chat template, each with an example that shows it.

    Raises:
        InvalidComparison: If there is no chat template, or the vocabulary is empty.
    """
    __tracebackhide__ = True
    refuse_without_template(tokenizer)
    answers = {name: question(tokenizer) for name, question in _QUESTIONS.items()}
    values: dict[str, Any] = {name: each.value for name, each in answers.items()}
    return ChatTemplateProfile(examples={name: each.example for name, each in answers.items()}, **values)
