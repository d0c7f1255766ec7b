"""Stability: the ids of a conversation are the start of the ids of the longer conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tokens.capabilities import Probed
from pytest_llmval.scoring.tokens.chat_template.conversations import FIVE_TURNS, THINKING, TOOL, TOOL_TURNS
from pytest_llmval.scoring.tokens.chat_template.rendering import Refusal, Turns, render
from pytest_llmval.scoring.tokens.chat_template.turns import supports_tools
from pytest_llmval.scoring.tokens.tokenizer.asking import tokens_of
from pytest_llmval.scoring.tokens.tokenizer.equality import first_difference, window

if TYPE_CHECKING:
    from collections.abc import Callable


def seam(tokenizer: Any, turns: Turns, count: int, *, generation: bool = False, **options: Any) -> str:
    """Where the first `count` turns are not the start of one turn more; empty when they are."""
    shorter = render(tokenizer, turns[:count], generation=generation, **options)
    longer = render(tokenizer, turns[: count + 1], **options)
    if isinstance(shorter, Refusal) or isinstance(longer, Refusal):
        return ""
    at = first_difference(shorter.ids, longer.ids)
    if at == len(shorter.ids):
        return ""
    shorter_name = f"{count} {'turn' if count == 1 else 'turns'}{' and the generation prompt' if generation else ''}"
    return (
        f"{shorter_name} share {at} of {len(shorter.ids)} tokens with {count + 1} turns: "
        f"{_about(tokenizer, shorter.ids, at)} -> {_about(tokenizer, longer.ids, at)}"
    )


def unstable_turns(tokenizer: Any, turns: Turns, **options: Any) -> str:
    """The first turn whose addition changes what stood before it; empty when there is none."""
    seams = (seam(tokenizer, turns, count, **options) for count in range(1, len(turns)))
    return next(filter(None, seams), "")


def unstable_prompt(tokenizer: Any, turns: Turns, **options: Any) -> str:
    """The first answer that does not continue its prompt; empty when there is none."""
    answers = [count for count, turn in enumerate(turns) if count and turn["role"] == "assistant"]
    seams = (seam(tokenizer, turns, count, generation=True, **options) for count in answers)
    return next(filter(None, seams), "")


def prompt_stable(tokenizer: Any) -> Probed:
    """P1."""
    return _stable(tokenizer, FIVE_TURNS, unstable_prompt)


def turns_stable(tokenizer: Any) -> Probed:
    """P2."""
    return _stable(tokenizer, FIVE_TURNS, unstable_turns)


def tools_stable(tokenizer: Any) -> Probed:
    """P3: with a call of a tool, its result and the answer."""
    if not supports_tools(tokenizer).value:
        return Probed(None, "")
    return _stable(tokenizer, TOOL_TURNS, unstable_turns, tools=[TOOL])


def keeps_history(tokenizer: Any) -> Probed:
    """P4: reasoning in an earlier answer is not taken out by a later question."""
    return _stable(tokenizer, THINKING, unstable_turns)


def _stable(tokenizer: Any, turns: Turns, check: Callable[..., str], **options: Any) -> Probed:
    if isinstance(render(tokenizer, turns, **options), Refusal):
        return Probed(None, "")
    problem = check(tokenizer, turns, **options)
    return Probed(not problem, problem or "every turn continues the ids before it")


def _about(tokenizer: Any, ids: tuple[int, ...], at: int) -> str:
    return " ".join(window(tokenizer, ids, at)) if at < len(ids) else f"the end after {tokens_of(tokenizer, ids[-1:])}"
