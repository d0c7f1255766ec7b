"""Perplexity: whether the loss of a whole text is shown to be no worse than the baseline's by more than a margin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llmval.verdicts.regression import decide_regression

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.verdict import Verdict

ONE_PERCENT = math.log(1.01)
"""In nats a token: one percent more perplexity."""


def decide_perplexity(
    candidate: Scores,
    baseline: Scores,
    *,
    margin: float = ONE_PERCENT,
    alpha: float = 0.05,
    alpha_adjusted: float = 0.05,
    vary: Collection[str] = (),
) -> Verdict:
    """The verdict on "the loss of all texts together is not higher than the baseline's by more than ``margin``".

    `decide_regression` with each document counted by its tokens: the means are the losses whose exponentials are the
    perplexities of the corpus, the difference is the logarithm of their ratio. Documents, or the clusters they
    declare, are the independent units; tokens of one document are not.

    Args:
        candidate: Scores of `perplexity` or `bits_per_byte` of the version under test.
        baseline: The same of the version it is compared with.
        margin: Largest loss that is tolerated, in the unit of the scores.
        alpha: As for `decide_regression`.
        alpha_adjusted: As for `decide_regression`.
        vary: As for `decide_regression`.

    Returns:
        A verdict of kind `no_regression`; invalid also below 100 scored tokens.

    Raises:
        ValueError: If the scores have no weights, or are no loss, of which less is better.
    """
    for scores in (candidate, baseline):
        if scores.higher_is_better:
            msg = f"{scores.name}: higher is better; expected a loss, for example perplexity(llm, texts)"
            raise ValueError(msg)
    return decide_regression(
        candidate, baseline, margin=margin, alpha=alpha, alpha_adjusted=alpha_adjusted, vary=vary, weighted=True
    )
