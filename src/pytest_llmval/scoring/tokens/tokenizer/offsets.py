"""Offsets: where in the text each token comes from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def offsets_of(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Start and end of each token in the text, in characters."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [(int(start), int(end)) for start, end in encoded["offset_mapping"]]


def misplaced(tokenizer: Any, text: str) -> str:
    """What is wrong with the offsets; empty when they lie in the text and their starts do not go back."""
    spans = offsets_of(tokenizer, text)
    for at, (start, end) in enumerate(spans):
        if not 0 <= start <= end <= len(text):
            return f"token {at} has ({start}, {end}), the text has {len(text)} characters"
    for at, (one, other) in enumerate(pairwise(spans)):
        if other[0] < one[0]:
            return f"token {at + 1} starts at {other[0]}, the token before it at {one[0]}"
    return ""


def uncovered(tokenizer: Any, text: str) -> str:
    """Characters, white space aside, that no token comes from; empty when there is none."""
    covered = {place for start, end in offsets_of(tokenizer, text) for place in range(start, end)}
    missing = [each for at, each in enumerate(text) if at not in covered and not each.isspace()]
    return f"no token covers {''.join(missing)!r} of {text!r}" if missing else ""
