"""Logprobs that are not the expected ones, and what they are instead."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance

SHIFTED = (
    "they are shifted by one: what the model says after it has read a token is taken for what it says of the token, as "
    "llama-cpp-python does for models without BOS"
)
_SHOWN = 3


def agree(values: Sequence[float], expected: Sequence[float], tolerance: Tolerance) -> bool:
    """Whether numbers are the expected ones within the tolerance; those without a counterpart are left out."""
    gaps = [abs(one - other) for one, other in zip(values, expected, strict=False)]
    return not gaps or (fmean(gaps) <= tolerance.mean and max(gaps) <= tolerance.largest)


def told(values: Sequence[float], expected: Sequence[float]) -> tuple[str, str]:
    """Both rows as words: what came back, and what was expected; the tokens that differ most stand first."""
    order = sorted(range(min(len(values), len(expected))), key=lambda at: -abs(values[at] - expected[at]))[:_SHOWN]
    gaps = [abs(one - other) for one, other in zip(values, expected, strict=False)]
    came = ", ".join(f"{values[at]:.4f} (token {at})" for at in order)
    wanted = ", ".join(f"{expected[at]:.4f}" for at in order)
    return f"{came}; the mean difference of {len(gaps)} tokens is {fmean(gaps):.3g}", wanted


def explanation(
    values: Sequence[float], expected: Sequence[float], tolerance: Tolerance, after: Sequence[float] = ()
) -> str:
    """What logprobs are that are not the expected ones; empty when that is not known.

    Args:
        values: What came back.
        expected: What the reference says of each token before it has read it.
        tolerance: Of equal numbers.
        after: What the reference says of each token once it has read it.
    """
    guesses = (
        (SHIFTED, after),
        ("they are logarithms to base 10, not natural ones", [each / math.log(10) for each in expected]),
        ("they are logarithms to base 2, not natural ones", [each / math.log(2) for each in expected]),
        ("they are probabilities, not logarithms", [math.exp(each) for each in expected]),
    )
    found = (words for words, guess in guesses if len(guess) == len(values) and agree(values, guess, tolerance))
    return next(found, "")
