"""How sure a model is of the options it chooses, and whether it is right: what calibration is measured on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.choice import choice_accuracy, without_choice
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


@dataclass(frozen=True, slots=True)
class Confidences:
    """The confidence of each answer and whether it was right.

    >>> confidence = Scores("stated", ids=("a", "b"), values=(0.9, 0.6))
    >>> Confidences(confidence, Scores("right", ids=("a", "b"), values=(1, 0), kind="binary")).paired
    (('a', 0.9, 1.0), ('b', 0.6, 0.0))
    """

    confidence: Scores
    """Probability that the model gave its answer, in [0, 1]."""
    correct: Scores
    """1 for a right answer, 0 for a wrong one, of the same cases."""

    def __post_init__(self) -> None:
        """Refuse columns of different cases."""
        if self.confidence.ids != self.correct.ids:
            msg = (
                f"{len(self.confidence.ids)} confidences, {len(self.correct.ids)} outcomes; expected the same case ids"
            )
            raise ValueError(msg)

    @property
    def paired(self) -> tuple[tuple[str, float, float], ...]:
        """Id, confidence and outcome of each case that has both."""
        rows = zip(self.confidence.ids, self.confidence.values, self.correct.values, strict=True)
        return tuple(
            (case_id, float(sure), float(right))
            for case_id, sure, right in rows
            if not isinstance(sure, Unscored) and not isinstance(right, Unscored)
        )

    @property
    def clusters(self) -> tuple[str, ...] | None:
        """Cluster of each case of `paired`, None when none is declared."""
        if self.confidence.clusters is None:
            return None
        homes = dict(zip(self.confidence.ids, self.confidence.clusters, strict=True))
        return tuple(homes[case_id] for case_id, *_ in self.paired)


def choice_confidence(responses: Iterable[Response]) -> Confidences:
    """The probability of the chosen option among the options of its case, and whether it is the right one.

    Args:
        responses: Responses to a case set with `choices=` and `answer=`.
    """
    answered = as_sequence(responses)

    def confidence(case: Case, response: Response) -> float | Unscored:
        found = option_probabilities(case, response)
        if isinstance(found, Unscored) or response.choice is None:
            return found if isinstance(found, Unscored) else without_choice(case)
        return found[response.choice.index]

    return Confidences(
        score_responses(answered, confidence, empty_scores("choice_confidence")), choice_accuracy(answered)
    )


def choice_brier(responses: Iterable[Response]) -> Scores:
    """Σ (p − y)² over the options of each case, in [0, 2]; lower is better. Paired, it compares whole distributions.

    Args:
        responses: Responses to a case set with `choices=` and `answer=`.

    Source:
        As `pytest_llmval.statistics.calibration.scores.brier_multiclass`; lm-eval's `brier_score`.
    """

    def brier(case: Case, response: Response) -> float | Unscored:
        found = option_probabilities(case, response)
        if isinstance(found, Unscored):
            return found
        return math.fsum((share - (place == case.answer)) ** 2 for place, share in enumerate(found))

    return score_responses(responses, brier, empty_scores("choice_brier", higher_is_better=False, bounds=(0.0, 2.0)))


def choice_nll(responses: Iterable[Response]) -> Scores:
    """−ln of the probability of the right option among the options of each case, in nats; lower is better.

    Infinite when the right option was thought impossible, which makes a gate invalid; `choice_brier` stays finite.

    Args:
        responses: Responses to a case set with `choices=` and `answer=`.
    """

    def loss(case: Case, response: Response) -> float | Unscored:
        found = option_probabilities(case, response)
        if isinstance(found, Unscored) or response.choice is None or case.answer is None:
            return found if isinstance(found, Unscored) else without_choice(case)
        return _log_sum(response.choice.logprobs) - response.choice.logprobs[case.answer]

    empty = empty_scores("choice_nll", unit="nats", higher_is_better=False, bounds=None)
    return score_responses(responses, loss, empty)


def option_probabilities(case: Case, response: Response) -> tuple[float, ...] | Unscored:
    """Probability of each option given that one of them is the answer: exp(logprob) / Σ exp(logprob)."""
    if response.choice is None or case.answer is None:
        return without_choice(case)
    logprobs = response.choice.logprobs
    total = _log_sum(logprobs)
    if not math.isfinite(total):
        return Unscored(f"the logprobs of the options are {logprobs}; expected one that is finite", failed=True)
    # Rounding must not lift a sure option above 1.
    return tuple(min(1.0, math.exp(logprob - total)) for logprob in logprobs)


def _log_sum(logprobs: Sequence[float]) -> float:
    """Logarithm of Σ exp, without underflow: logprobs of long options lie below −700."""
    largest = max(logprobs)
    if not math.isfinite(largest):
        return largest
    return largest + math.log(math.fsum(math.exp(logprob - largest) for logprob in logprobs))
