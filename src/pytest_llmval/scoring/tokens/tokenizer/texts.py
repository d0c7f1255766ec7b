"""Invariants of one text: each function says what is wrong, or nothing."""

from __future__ import annotations

from typing import Any

from pytest_llmval.scoring.tokens.tokenizer.asking import encode, plain_added_tokens, tokens_of


def out_of_range(tokenizer: Any, text: str) -> str:
    """Ids that the vocabulary lacks."""
    ids = encode(tokenizer, text)
    tokens = tokens_of(tokenizer, [max(number, 0) for number in ids])
    wrong = [number for number, token in zip(ids, tokens, strict=True) if number < 0 or token is None]
    return f"ids {wrong} are not in the vocabulary of {len(tokenizer)} tokens" if wrong else ""


def changing(tokenizer: Any, text: str) -> str:
    """Two answers to the same question."""
    once, again = encode(tokenizer, text), encode(tokenizer, text)
    return "" if once == again else f"encoded twice: {once} and {again}"


def uneven_batch(tokenizer: Any, text: str) -> str:
    """A text that is encoded differently beside another one."""
    alone = encode(tokenizer, text)
    beside = tokenizer(["b", text, "a longer neighbour"], add_special_tokens=False, verbose=False)["input_ids"][1]
    return "" if list(beside) == alone else f"alone {alone}, in a batch {list(beside)}"


def leaking_special(tokenizer: Any, text: str) -> str:
    """A special token that does not part the text into halves which are encoded by themselves."""
    for token in plain_added_tokens(tokenizer)[:_SPECIAL]:
        left, right = text[: len(text) // 2], text[len(text) // 2 :]
        whole = encode(tokenizer, f"{left}{token}{right}", split=False)
        before = encode(tokenizer, left, split=False)
        # Some tokenizers add a space to the start of a text, hence the right half keeps its special token.
        after = encode(tokenizer, f"{token}{right}", split=False)
        if whole != before + after:
            seam = f"{left!r} + {token!r} + {right!r}"
            return f"{seam} gives {tokens_of(tokenizer, whole)}, its parts {tokens_of(tokenizer, before + after)}"
        if after[:1] != [tokenizer.convert_tokens_to_ids(token)]:
            return f"{token + right!r} does not begin with its token but with {tokens_of(tokenizer, after[:1])}"
    return ""


_SPECIAL = 4
