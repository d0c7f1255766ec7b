"""Turns: how a template begins, parts and ends them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from pytest_llmval.scoring.tokens.capabilities import Probed
from pytest_llmval.scoring.tokens.chat_template.conversations import (
    ANSWER,
    QUESTION,
    THREE_TURNS,
    TOOL,
    TOOL_TURNS,
    assistant,
    system,
    user,
)
from pytest_llmval.scoring.tokens.chat_template.rendering import Refusal, Rendering, Turns, render
from pytest_llmval.scoring.tokens.tokenizer.asking import control_tokens, encode, tokens_of

_NOT_ASKED = Probed(None, "")
_GENERATION_BLOCK = re.compile(r"{%-?\s*generation\s*-?%}")


def writes_bos(tokenizer: Any) -> Probed:
    """P6 by ids."""
    rendered = render(tokenizer, THREE_TURNS)
    if tokenizer.bos_token_id is None or isinstance(rendered, Refusal):
        return _NOT_ASKED
    return Probed(
        rendered.ids[:1] == (tokenizer.bos_token_id,), f"begins with {tokens_of(tokenizer, rendered.ids[:2])}"
    )


def doubles_bos_as_text(tokenizer: Any) -> Probed:
    """P6 on the detour by text: the template writes a BOS, and encoding adds one."""
    rendered = render(tokenizer, THREE_TURNS)
    if tokenizer.bos_token_id is None or isinstance(rendered, Refusal):
        return _NOT_ASKED
    ids = encode(tokenizer, rendered.text, special=True)[:2]
    return Probed(ids == [tokenizer.bos_token_id] * 2, f"tokenizer(text) begins with {tokens_of(tokenizer, ids)}")


def prompts_generation(tokenizer: Any) -> Probed:
    """Whether the generation prompt adds ids."""
    without, prompt = (render(tokenizer, THREE_TURNS, generation=each) for each in (False, True))
    if isinstance(without, Refusal) or isinstance(prompt, Refusal):
        return _NOT_ASKED
    return Probed(prompt.ids != without.ids, f"the prompt ends with {prompt.text[-24:]!r}")


def prompt_meets_answer(tokenizer: Any) -> Probed:
    """Whether the answer follows the prompt at once."""
    prompt = render(tokenizer, [user(QUESTION)], generation=True)
    whole = render(tokenizer, [user(QUESTION), assistant(ANSWER)])
    if isinstance(prompt, Refusal) or isinstance(whole, Refusal):
        return _NOT_ASKED
    before = whole.text[: whole.text.rfind(ANSWER)]
    shown = f"the prompt ends with {prompt.text[-24:]!r}, before the answer stands {before[-24:]!r}"
    return Probed(prompt.text == before, shown)


def checks_role_order(tokenizer: Any) -> Probed:
    """P7: turns in an order that cannot be."""
    wrong = {"user, user": [user(QUESTION), user(QUESTION)], "assistant first": [assistant(ANSWER), user(QUESTION)]}
    return _refuses(tokenizer, wrong)


def refuses_unknown_roles(tokenizer: Any) -> Probed:
    """P7: a role that no template is made for."""
    return _refuses(tokenizer, {"role 'narrator'": [user(QUESTION), {"role": "narrator", "content": ANSWER}]})


def _refuses(tokenizer: Any, wrong: dict[str, Turns]) -> Probed:
    rendered = {name: render(tokenizer, turns) for name, turns in wrong.items()}
    accepted = {name: each for name, each in rendered.items() if isinstance(each, Rendering)}
    for name, each in accepted.items():
        return Probed(value=False, example=f"{name} gives {each.text[-48:]!r}")
    return Probed(value=True, example=f"{', '.join(rendered)}: refused")


def ends_answer_with_control_token(tokenizer: Any) -> Probed:
    """P8: what follows the assistant's text."""
    whole = render(tokenizer, [user(QUESTION), assistant(ANSWER)])
    if isinstance(whole, Refusal):
        return _NOT_ASKED
    after = whole.text[whole.text.rfind(ANSWER) + len(ANSWER) :]
    ids = encode(tokenizer, after.lstrip(), split=False)
    return Probed(bool(ids) and ids[0] in control_tokens(tokenizer).values(), f"{after!r} follows the answer")


def masks_end_of_answer(tokenizer: Any) -> Probed:
    """P8: whether the masked span goes on to the control token."""
    if not _GENERATION_BLOCK.search(str(tokenizer.chat_template)):
        return _NOT_ASKED
    encoded = tokenizer.apply_chat_template(
        [user(QUESTION), assistant(ANSWER)], return_dict=True, return_assistant_tokens_mask=True
    )
    masked = [number for number, on in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if on]
    ends = bool(masked) and masked[-1] in control_tokens(tokenizer).values()
    return Probed(ends, f"the mask holds {tokens_of(tokenizer, masked[-4:])} at its end")


def keeps_white_space(tokenizer: Any) -> Probed:
    """P9: white space at the ends of a message."""
    content = "  two spaces before and after  "
    rendered = render(tokenizer, [user(content)])
    if isinstance(rendered, Refusal):
        return _NOT_ASKED
    return Probed(content in rendered.text, f"{content!r} gives {rendered.text!r}")


def depends_on_date(tokenizer: Any) -> Probed:
    """P10: two days, one conversation."""
    days = (date(2024, 1, 5), date(2025, 2, 6))
    for turns in ([system("Be kind."), user(QUESTION)], [user(QUESTION)]):
        first, second = (render(tokenizer, turns, day=day) for day in days)
        if isinstance(first, Rendering) and isinstance(second, Rendering):
            return Probed(first.ids != second.ids, f"{first.text[:64]!r}, a year later {second.text[:64]!r}")
    return _NOT_ASKED


def supports_system(tokenizer: Any) -> Probed:
    """Whether a system message reaches the model."""
    content = "You are a kind clerk."
    rendered = render(tokenizer, [system(content), user(QUESTION)])
    if isinstance(rendered, Refusal):
        return Probed(value=False, example=f"refused: {rendered.reason}")
    return Probed(content in rendered.text, f"{rendered.text[:96]!r}")


def supports_tools(tokenizer: Any) -> Probed:
    """Whether a tool's name and result reach the model."""
    rendered = render(tokenizer, TOOL_TURNS, tools=[TOOL])
    if isinstance(rendered, Refusal):
        return Probed(value=False, example=f"refused: {rendered.reason}")
    missing = [each for each in ("order_status", "shipped_yesterday") if each not in rendered.text]
    return Probed(not missing, f"left out: {', '.join(missing)}" if missing else "the call and its result are rendered")


def ends_with_white_space(tokenizer: Any) -> Probed:
    """Whether the model starts after white space."""
    rendered = render(tokenizer, [user(QUESTION)], generation=True)
    if isinstance(rendered, Refusal):
        return _NOT_ASKED
    return Probed(rendered.text != rendered.text.rstrip(), f"the prompt ends with {rendered.text[-24:]!r}")


def written_control_tokens(tokenizer: Any) -> Probed:
    """Control tokens of the template itself."""
    rendered = render(tokenizer, THREE_TURNS, generation=True)
    if isinstance(rendered, Refusal):
        return _NOT_ASKED
    names = {number: name for name, number in control_tokens(tokenizer).items()}
    written = tuple(dict.fromkeys(names[number] for number in rendered.ids if number in names))
    return Probed(written, f"{rendered.text!r}")
