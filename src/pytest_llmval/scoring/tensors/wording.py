"""The words of a comparison: numbers, bounds and counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_LINES = 50
_MOST_STEPS = 10_000


def counted(count: int, noun: str, plural: str = "") -> str:
    """The count with its noun.

    >>> counted(1, "tensor"), counted(2, "leaf", "leaves")
    ('1 tensor', '2 leaves')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def number(value: float) -> str:
    """Three significant digits.

    >>> number(0.012345), number(float("inf"))
    ('0.0123', 'inf')
    """
    return f"{value:.3g}"


def apart(value: float, limit: float, digits: int = 3) -> tuple[str, str]:
    """Two different numbers with at least `digits` digits, and as many as it takes to tell them apart.

    >>> apart(0.10000012, 0.1)
    ('0.1000001', '0.1')
    """
    for each in range(digits, 18):
        pair = f"{value:.{each}g}", f"{limit:.{each}g}"
        if pair[0] != pair[1] or value == limit:
            return pair
    return repr(value), repr(limit)


def rounded_up(value: float, digits: int = 3) -> str:
    """The number with few digits, never below it: a bound that may be copied into a test.

    >>> rounded_up(0.12341), rounded_up(5.0)
    ('0.124', '5')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    text = f"{value:.{digits}g}"
    if float(text) < value:
        step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
        text = f"{value + step:.{digits}g}"
    return text if float(text) >= value else repr(value)


def rounded_down(value: float, digits: int = 3) -> str:
    """The number with few digits, never above it.

    >>> rounded_down(0.12391)
    '0.123'
    """
    return f"-{rounded_up(-value, digits)}".replace("--", "") if value else "0"


def steps_text(steps: int, form: str) -> str:
    """A distance in ULP of a format; above 10 000 with two digits, rounded up so that it stays a bound.

    >>> steps_text(10_000, "float32"), steps_text(4_194_304, "float32")
    ('10000 ULP of float32', '4.2e+06 ULP of float32')
    """
    shown = str(steps) if steps <= _MOST_STEPS else rounded_up(steps, 2)
    return f"{shown} ULP of {form}"


def share(part: float, whole: float) -> str:
    """A share in percent; what is neither none nor all never reads as that.

    >>> share(212, 49152), share(1, 1), share(999999, 1000000)
    ('0.43 %', '100 %', '>99.99 %')
    """
    if not whole or part in {0, whole}:
        return "100 %" if whole and part == whole else "0 %"
    percent = 100 * part / whole
    if percent < 0.01:  # noqa: PLR2004 - the last digit shown
        return "<0.01 %"
    return ">99.99 %" if percent > 99.99 else f"{percent:.3g} %" if percent >= 1 else f"{percent:.2g} %"  # noqa: PLR2004


def lines_of(texts: Sequence[str], most: int = _MOST_LINES) -> list[str]:
    """Indented lines, and how many were left off."""
    shown = [f"  {text}" for text in texts[:most]]
    return shown if len(texts) <= most else [*shown, f"  and {len(texts) - most} more"]


def quoted(path: str) -> str:
    """A path as it reads in a sentence.

    >>> quoted("logits"), quoted("")
    ("'logits'", 'the tensor')
    """
    return repr(path) if path else "the tensor"
