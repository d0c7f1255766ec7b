"""How many tokens a prompt has, rendered as it should be and as it is rendered by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmval.case_sets.message import Message

ONCE = "the chat template applied once"
BOS_TWICE = "a second BOS, which the tokenizer puts before that of the chat template"


def plain_count(tokenizer: Any, text: str) -> int:
    """Tokens of a plain prompt, with the special tokens that the tokenizer adds."""
    return len(tokenizer(text, verbose=False)["input_ids"])


def rendering_counts(tokenizer: Any, messages: tuple[Message, ...]) -> dict[str, int]:
    """Tokens of a conversation as it should be read, first, and as it is read by mistake, each in words."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    once = _rendered(tokenizer, turns)
    twice = _rendered(tokenizer, [{"role": "user", "content": once}])
    bare = "\n".join(message.content for message in messages)
    return {
        ONCE: _bare_count(tokenizer, once),
        "the chat template applied twice": _bare_count(tokenizer, twice),
        "the chat template applied twice, and a BOS of the tokenizer before it": plain_count(tokenizer, twice),
        BOS_TWICE: plain_count(tokenizer, once),
        "the chat template without the beginning of the answer": _bare_count(
            tokenizer, _rendered(tokenizer, turns, opens_answer=False)
        ),
        "no chat template": plain_count(tokenizer, bare),
    }


def _rendered(tokenizer: Any, turns: list[dict[str, str]], *, opens_answer: bool = True) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opens_answer))


def _bare_count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
