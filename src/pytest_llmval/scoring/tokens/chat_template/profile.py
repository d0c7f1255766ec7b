"""Profile of a chat template: what a sound one may or may not do."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_llmval.scoring.tokens.capabilities import Profile


@dataclass(frozen=True, slots=True)
class ChatTemplateProfile(Profile):
    """Capabilities of a chat template, each probed by token ids; None where the question does not arise.

    Freeze `as_json()` in a golden; `profile_from_json` reads it, and `assert_chat_template_contract(profile=…)` then
    names the capability that flips.
    """

    prompt_stable: bool | None = None
    """The prompt for an answer, generation prompt included, is the start of the conversation with that answer (P1)."""
    turns_stable: bool | None = None
    """A conversation is the start of the same conversation with one more turn (P2), so that caches are reused."""
    tools_stable: bool | None = None
    """So is one with a call of a tool (P3); None when tools are not supported."""
    keeps_history: bool | None = None
    """Reasoning and ends of earlier turns stay when more turns follow (P4)."""
    separates_user_text: bool | None = None
    """Special strings in what the user says give no control ids on the usual path (P5); hardly ever so."""
    sanitizes_user_text: bool | None = None
    """They give none with `sanitize_control_tokens=True`."""
    writes_bos: bool | None = None
    """The ids begin with the beginning-of-sequence token (P6); None when there is none."""
    doubles_bos_as_text: bool | None = None
    """Rendering to text first and encoding it by default begins with two (P6)."""
    prompts_generation: bool | None = None
    """`add_generation_prompt=True` adds something."""
    prompt_meets_answer: bool | None = None
    """The assistant's text begins where the generation prompt ends."""
    checks_role_order: bool | None = None
    """Two user turns in a row, or an assistant's turn at the start, are refused (P7)."""
    refuses_unknown_roles: bool | None = None
    """A role that it was not made for is refused (P7)."""
    ends_answer_with_control_token: bool | None = None
    """A control token follows the assistant's text, for the model to learn where to stop (P8)."""
    masks_end_of_answer: bool | None = None
    """The mask of the assistant's tokens includes that token (P8); None without `{% generation %}`."""
    keeps_white_space: bool | None = None
    """White space at the ends of a message stays (P9)."""
    depends_on_date: bool | None = None
    """The ids change from day to day (P10)."""
    supports_system: bool | None = None
    """A system message is rendered."""
    supports_tools: bool | None = None
    """Tools and their results are rendered."""
    ends_with_white_space: bool | None = None
    """The generation prompt, or the last turn where there is none, ends with white space."""
    control_tokens: tuple[str, ...] | None = None
    """Control tokens that it writes, in order of first use."""
