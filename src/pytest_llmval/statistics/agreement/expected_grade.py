"""The grade a judge means: the mean over the grades it might have written, by their probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def expected_grade(logprobs: Mapping[float, float]) -> float:
    """Mean of the grades, each by the probability of its token among those of grades.

    It is finer than the one grade written, which ties most answers.

    Args:
        logprobs: Natural log-probability of each grade; grades not among the most likely tokens may be left out.

    Returns:
        A grade between the least and the greatest given.

    Raises:
        ValueError: If no grade has a probability above 0.

    Source:
        Y. Liu et al., G-Eval, arXiv:2303.16634 (2023), with the probabilities of grades made to add up to 1.

    >>> round(expected_grade({3: -1.5, 4: -0.5, 5: -2.0}), 3)
    3.909
    """
    top = max(logprobs.values(), default=-math.inf)
    if not -math.inf < top < math.inf:
        msg = f"logprobs={dict(logprobs)!r:.80}; expected the finite log-probability of at least one grade"
        raise ValueError(msg)
    weights = {grade: math.exp(logprob - top) for grade, logprob in logprobs.items()}
    return math.fsum(grade * weight for grade, weight in weights.items()) / math.fsum(weights.values())
