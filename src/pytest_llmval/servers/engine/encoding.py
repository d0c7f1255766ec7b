"""Text to token ids and back, with exactly one beginning-of-sequence token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import Message

Prompt = str | tuple["Message", ...]
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_prompt(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Token ids of a prompt: plain text with the tokenizer's special tokens, messages through the template.

    Raises:
        RequestRefused: If there is no token, a second BOS or no chat template.
    """
    text, special = render(tokenizer, prompt)
    ids = encode(tokenizer, text, special=special)
    if not text or not ids:
        msg = f"prompt {text!r} is empty; expected at least one token of text"
        raise RequestRefused(msg)
    refuse_double_bos(tokenizer, ids, text)
    return ids


def refuse_double_bos(tokenizer: Any, ids: Sequence[int], text: str) -> None:
    """Raise RequestRefused for token ids that begin with two BOS, as a template and a tokenizer make them together."""
    if list(ids[:2]) == [tokenizer.bos_token_id] * 2:
        msg = f"prompt starts with two BOS tokens {tokenizer.bos_token!r}; expected one: {text[:60]!r}…"
        raise RequestRefused(msg)


def render(tokenizer: Any, prompt: Prompt) -> tuple[str, bool]:
    """The prompt as one text, and whether the tokenizer's special tokens are still to be added."""
    if not isinstance(prompt, str):
        return _render_chat(tokenizer, prompt), False
    return prompt, not _has_bos(tokenizer, prompt)


def _has_bos(tokenizer: Any, text: str) -> bool:
    return bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)


def _render_chat(tokenizer: Any, messages: Sequence[Message]) -> str:
    if tokenizer.chat_template is None:
        msg = "the tokenizer has no chat template; expected a plain prompt, or chat_template.jinja beside the model"
        raise RequestRefused(msg)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # templates raise what they like
        roles = ", ".join(message.role for message in messages)
        msg = f"the chat template refused the messages ({roles}): {error}"
        raise RequestRefused(msg) from error


def encode(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    """Token ids of a text, with or without the tokenizer's special tokens.

    Raises:
        RequestRefused: If the text has half of a surrogate pair.
    """
    try:
        # Not verbose: we say ourselves what is too long.
        return list(tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])
    except (TypeError, UnicodeEncodeError) as error:  # what tokenizers make of it
        half = _SURROGATE.search(text)
        if half is None:
            raise
        msg = f"character {half.start()} of {text[:60]!r} is half of a surrogate pair; expected text as UTF-8 has it"
        raise RequestRefused(msg) from error


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of token ids without special tokens, spaces as the model wrote them."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def first_token(tokenizer: Any) -> int:
    """The token that stands before a text: BOS, or EOS for models that have no BOS."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    msg = "the tokenizer has neither BOS nor EOS, so the first token of a text has no context to be scored in"
    raise RequestRefused(msg)


def encode_pair(
    tokenizer: Any, context: str, continuation: str, *, special: bool, known: dict[Any, list[int]] | None = None
) -> tuple[list[int], list[int]]:
    """Token ids of a context and of what follows it, split where the context's own tokens end.

    Trailing white space of the context belongs to the continuation, since tokenizers glue it to the next word.
    When the last token of the context and the first of the continuation merge, the context gives way.

    Args:
        tokenizer: The transformers tokenizer.
        context: What comes before, perhaps nothing.
        continuation: What is scored.
        special: Whether the tokenizer's special tokens are still to be added.
        known: Contexts that this function has encoded; given to several calls, each context is encoded once.

    Raises:
        RequestRefused: If the continuation has no token of its own.

    Source:
        lm-evaluation-harness, `TemplateLM._encode_pair`; unlike it, the ids fed are always those of the joined
        text, also when the context alone would be tokenised differently.
    """
    joined, bare = context + continuation, context.rstrip()
    special = special and not _has_bos(tokenizer, joined)
    whole, known = encode(tokenizer, joined, special=special), {} if known is None else known
    if (bare, special) not in known:
        known[bare, special] = encode(tokenizer, bare, special=special)
    alone = known[bare, special]
    split = len(alone) if len(alone) < len(whole) else _agreeing(alone, whole)
    if split == 0:
        start = first_token(tokenizer)
        whole, split = (whole if whole[:1] == [start] else [start, *whole]), 1
    if not continuation or split >= len(whole):
        msg = f"continuation {continuation!r} has no token of its own; expected at least one"
        raise RequestRefused(msg)
    return whole[:split], whole[split:]


def _agreeing(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = zip(left, right, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
