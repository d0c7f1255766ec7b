"""Self-consistency: how probable it is that a model says the same when it is asked again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.records.response_set import ResponseSet
from pytest_llmval.scoring.consistency.same import differ, said_by
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.consistency.same import Same
    from pytest_llmval.servers.exchange import Response

HINT = "ask with cases(…, trials=5, temperature=0.7)"


def self_consistency(responses: Iterable[Response], *, same: Same | None = None) -> Scores:
    """The probability that two answers to a case agree, in [0, 1]; a model that repeats its mistakes is consistent too.

    One value a case, over all its trials: the share of pairs of trials that agree, which over answers with counts c is
    Σ c(c − 1) / k(k − 1) and of which no number of trials k biases the mean. A case with fewer than two trials stays
    `Unscored`, and so do greedy ones and choices among options, which repeat one computation.

    Args:
        responses: Responses to a case set with `trials=` and `temperature=`.
        same: Whether two responses say the same, or `Unscored(reason)`; asked once for each pair of trials whose texts
            differ. By default they do when they gave one text but for letter case and white space.

    Raises:
        ValueError: If `same` gives something else.

    Source:
        The unbiased estimate of Σ p²: E. H. Simpson, Measurement of Diversity, Nature 163 (1949) 688.
    """

    def agreement(trials: Sequence[Response]) -> float | Unscored:
        return _by_classes(trials) if same is None else _by_pairs(trials, same)

    version = f"1 {function_hash(same)}" if same else "1"
    return score_trials(responses, agreement, empty_scores("self_consistency"), version)


def score_trials(
    responses: Iterable[Response],
    function: Callable[[Sequence[Response]], float | Unscored],
    metric: Scores,
    version: str,
) -> Scores:
    """A metric with one value a case that is taken over all its trials together, not trial by trial.

    Args:
        responses: The answers, at least two a case.
        function: Gives the value of the trials of one case, all of which were answered.
        metric: The metric's description, without cases.
        version: Version of the metric.
    """
    answered = as_sequence(responses)
    trials = {each.case.id: each.trials or (each,) for each in answered if each.case}
    greedy = isinstance(answered, ResponseSet) and answered.case_set.decoding.temperature == 0

    def value(case: Case, _: Response) -> float | Unscored:
        unfit = _unfit(trials[case.id], greedy=greedy)
        return function(trials[case.id]) if unfit is None else unfit

    return score_responses(_each_once(answered), value, metric, version)


def _unfit(trials: Sequence[Response], *, greedy: bool) -> Unscored | None:
    """Why these trials have no value together."""
    failed = next((trial.error for trial in trials if trial.error is not None), None)
    if failed is not None:
        return Unscored(failed, failed=True)
    if len(trials) < 2:  # noqa: PLR2004 - two make a pair
        return Unscored(f"asked only once; {HINT}")
    if greedy or any(trial.choice is not None for trial in trials):
        return Unscored(f"greedy answers and choices repeat one computation; {HINT}")
    return None


def _each_once(responses: Sequence[Response]) -> Sequence[Response]:
    """The responses without their trials, so that each is scored once."""
    alone = tuple(replace(response, trials=()) for response in responses)
    return replace(responses, responses=alone) if isinstance(responses, ResponseSet) else alone


def _by_classes(trials: Sequence[Response]) -> float:
    counts = Counter(map(said_by, trials)).values()
    return sum(count * (count - 1) for count in counts) / (len(trials) * (len(trials) - 1))


def _by_pairs(trials: Sequence[Response], same: Same) -> float | Unscored:
    differing = [one.text != other.text and differ(one, other, same) for one, other in combinations(trials, 2)]
    without = next((each for each in differing if isinstance(each, Unscored)), None)
    return differing.count(False) / len(differing) if without is None else without
