"""Truncation, overflow and padding: lengths, masks and sides are what was asked for."""

from __future__ import annotations

from typing import Any

from pytest_llmval.scoring.tokens.tokenizer.asking import encode

_OPTIONS: dict[str, Any] = {"verbose": False}


def wrong_truncation(tokenizer: Any, text: str) -> str:
    """A truncated text that is not as long as asked, or not the right end of it."""
    full = encode(tokenizer, text)
    limit = max(1, len(full) // 2)
    cut = list(tokenizer(text, add_special_tokens=False, truncation=True, max_length=limit, **_OPTIONS)["input_ids"])
    side = tokenizer.truncation_side
    expected = full[:limit] if side == "right" else full[-limit:]
    if full and cut != expected:
        return f"max_length={limit}, cut on the {side}: expected {expected} -> actual {cut}"
    return _wrong_frame(tokenizer, text, full)


def _wrong_frame(tokenizer: Any, text: str, full: list[int]) -> str:
    """Special tokens count towards the length, and are as many as the tokenizer says."""
    special = encode(tokenizer, text, special=True)
    added = tokenizer.num_special_tokens_to_add()
    if len(special) - len(full) != added:
        return f"num_special_tokens_to_add() is {added}, but {len(special) - len(full)} are added"
    limit = added + max(1, len(full) // 2)
    cut = tokenizer(text, truncation=True, max_length=limit, **_OPTIONS)["input_ids"]
    if len(cut) != min(limit, len(special)):
        return f"max_length={limit} gives {len(cut)} ids, expected {min(limit, len(special))}"
    return ""


def wrong_overflow(tokenizer: Any, text: str) -> str:
    """Windows of a truncated text that lose or double more than the stride."""
    full = encode(tokenizer, text)
    if len(full) < _LEAST_IDS:
        return ""
    size, stride = len(full) // 2, 1
    encoded = tokenizer(
        text, add_special_tokens=False, truncation=True, max_length=size, stride=stride,
        return_overflowing_tokens=True, **_OPTIONS,
    )  # fmt: skip
    windows = [list(ids) for ids in encoded["input_ids"]]
    if tokenizer.truncation_side == "left":
        windows.reverse()
    joined = [number for n, window in enumerate(windows) for number in window[stride if n else 0 :]]
    return "" if joined == full else f"windows of {size} with stride {stride} join to {joined}, expected {full}"


_LEAST_IDS = 6


def wrong_padding(tokenizer: Any, text: str) -> str:
    """A padded text whose padding, mask or side is not what was asked for; asked when there is a pad token."""
    plain = encode(tokenizer, text)
    size = len(plain) + 3
    encoded = tokenizer(text, add_special_tokens=False, padding="max_length", max_length=size, **_OPTIONS)
    ids, mask = list(encoded["input_ids"]), list(encoded["attention_mask"])
    pads, ones = [tokenizer.pad_token_id] * 3, [1] * len(plain)
    left = tokenizer.padding_side == "left"
    if ids != (pads + plain if left else plain + pads):
        return f"padded to {size} on the {tokenizer.padding_side}: actual {ids}, of {plain}"
    if mask != ([0] * 3 + ones if left else ones + [0] * 3):
        return f"attention_mask {mask} does not part the padding from {len(plain)} ids"
    return ""
