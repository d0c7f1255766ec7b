"""The vocabulary: every id has one token, every token one id, and each decodes by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_llmval.scoring.tokens.contract import Violation
from pytest_llmval.scoring.tokens.tokenizer.asking import decode, encode_batch, tokens_of

_SHOWN = 3


def broken_bijection(tokenizer: Any) -> Violation | None:
    """Ids and tokens that do not lead to each other."""
    vocabulary = _by_id(tokenizer)
    shared = [number for number, times in Counter(vocabulary.values()).items() if times > 1]
    there = tokens_of(tokenizer, list(vocabulary.values()))
    back = tokenizer.convert_tokens_to_ids(list(vocabulary))
    wrong = [f"id {number} is shared by several tokens" for number in shared]
    for (token, number), name, again in zip(vocabulary.items(), there, back, strict=True):
        if name != token and number not in shared:
            wrong.append(f"token {token!r} has id {number}, which is the token {name!r}")
        elif again != number:
            wrong.append(f"id {number} is token {token!r}, whose id is {again}")
    return Violation("ids and tokens lead to each other", _listed(wrong)) if wrong else None


def lost_special_token(tokenizer: Any) -> Violation | None:
    """Special tokens with a role that the vocabulary lacks, or that share the id of unknown text."""
    vocabulary = tokenizer.get_vocab()
    wrong = [
        f"{role} {str(token)!r} is not in the vocabulary"
        for role, tokens in tokenizer.special_tokens_map.items()
        for token in (tokens if isinstance(tokens, list | tuple) else [tokens])
        if str(token) not in vocabulary
    ]
    return Violation("special tokens are in the vocabulary", _listed(wrong)) if wrong else None


def undecodable_token(tokenizer: Any) -> Violation | None:
    """A token of the vocabulary that cannot be decoded by itself."""
    for token, number in _by_id(tokenizer).items():
        text = tokenizer.decode([number])
        if not isinstance(text, str):
            problem = f"id {number} ({token!r}) decodes to {text!r}, expected text"
            return Violation("every token decodes by itself", problem)
    return None


def changed_single_token(tokenizer: Any) -> Violation | None:
    """A token whose text does not come back when it is encoded; asked of lossless tokenizers only."""
    numbers = sorted(set(tokenizer.get_vocab().values()))
    texts = [decode(tokenizer, [number]) for number in numbers]
    again = encode_batch(tokenizer, texts)
    for number, text, ids in zip(numbers, texts, again, strict=True):
        if "\ufffd" not in text and (back := decode(tokenizer, ids)) != text:
            problem = f"id {number} decodes to {text!r}, which encoded gives {back!r}"
            return Violation("the text of every single token comes back", problem, text)
    return None


def _by_id(tokenizer: Any) -> dict[str, int]:
    """The vocabulary in the order of its ids; the library gives another order each time."""
    return dict(sorted(tokenizer.get_vocab().items(), key=lambda item: int(item[1])))


def _listed(wrong: list[str]) -> str:
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return "; ".join(wrong[:_SHOWN]) + more
