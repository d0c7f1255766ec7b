"""Long and repetitive texts: encoded in a time that grows with their length, not with its square."""

from __future__ import annotations

import time
from typing import Any

from pytest_llmval.scoring.tokens.contract import Violation
from pytest_llmval.scoring.tokens.tokenizer.asking import encode

LEAST_LENGTH = 16_384
_PATTERNS = ("x", " ", "The quick brown fox, 123. ")
_STEP = 4
# Four times the text may take 4 times as long, or a little more by n log n and caches; a square takes 16 times.
_MOST = 10.0
_TOO_SHORT_TO_MEASURE = 0.002  # seconds
_TRIES = 3


def refuse_length(length: int) -> None:
    """Say which lengths tell anything.

    Raises:
        ValueError: If the length is too short to see how time grows.
    """
    if length < LEAST_LENGTH:
        msg = f"long_text={length!r} characters; expected at least {LEAST_LENGTH}, else growth cannot be seen"
        raise ValueError(msg)


def slow_growth(tokenizer: Any, length: int) -> Violation | None:
    """The pattern whose encoding time grows faster than its length, found on ever longer texts."""
    for pattern in _PATTERNS:
        shorter = None
        for size in (length // _STEP**2, length // _STEP, length):
            text = (pattern * (size // len(pattern) + 1))[:size]
            seconds = _seconds(tokenizer, text)
            if shorter is not None and seconds > _MOST * shorter:
                # A busy machine slows single runs; what is slow by itself stays slow.
                shorter = max(shorter, _slowest(tokenizer, text[: size // _STEP]))
                seconds = min(seconds, _quickest(tokenizer, text))
                if seconds > _MOST * shorter:
                    return _violation(pattern, size, seconds / shorter)
            shorter = max(seconds, _TOO_SHORT_TO_MEASURE)
    return None


def _violation(pattern: str, size: int, factor: float) -> Violation:
    problem = (
        f"{pattern!r} repeated to {size} characters takes {factor:.0f} times as long as a quarter of it, "
        f"allowed {_MOST:.0f} times"
    )
    return Violation("time grows with the length of the text", problem, pattern)


def _slowest(tokenizer: Any, text: str) -> float:
    return max(_seconds(tokenizer, text) for _ in range(_TRIES))


def _quickest(tokenizer: Any, text: str) -> float:
    return min(_seconds(tokenizer, text) for _ in range(_TRIES - 1))


def _seconds(tokenizer: Any, text: str) -> float:
    """Processor time: of all threads, since the tokenizer may use others; not of other processes."""
    start = time.process_time()
    encode(tokenizer, text)
    return time.process_time() - start
