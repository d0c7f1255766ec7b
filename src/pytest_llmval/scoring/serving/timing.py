"""How long answers took: in all, until the first token, per token, and before they were begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

Clock = Callable[["Response"], float | Unscored]
"""Gives a time of a response that was answered, in seconds."""

REPLAYED = Unscored("replayed: it was measured in an earlier run, and its time says nothing about this one")
UNTIMED = Unscored("the server tells no times")
NO_FIRST_TOKEN = Unscored(
    "the time of the first token is not known: streams = true in llmval.toml has answers of a server streamed; one "
    "that comes in one piece or has no text has no first token"
)
TOO_SHORT = Unscored("a time per token needs an answer of at least 2 tokens")

_FEWEST_TOKENS = 2


def latency(responses: Iterable[Response]) -> Scores:
    """Seconds that each answer took, from sending the request that was answered to its end; lower is better.

    Waits before it are not in it, see `queue_time`. Answers that were computed in one batch share their time, and are
    then no independent cases: `assert_latency` takes a batch for one measurement. Replayed answers stay `Unscored`.
    """
    return _scores("latency", responses, total_seconds)


def first_token_latency(responses: Iterable[Response]) -> Scores:
    """Seconds until the first text of each answer came; lower is better. Only streamed answers have it."""
    return _scores("first_token_latency", responses, first_token_seconds)


def time_per_token(responses: Iterable[Response]) -> Scores:
    """Seconds a generated token; lower is better. An answer of fewer than 2 tokens stays `Unscored`.

    Of streamed answers the time between tokens, as serving benchmarks have it (TPOT, inter-token latency): the time
    after the first token over the tokens after it. Otherwise the time over the tokens, which includes reading the
    prompt; the two are never compared with each other.
    """
    answered = _as_sequence(responses)
    scores = _scores("time_per_token", answered, per_token_clock(answered), "s/token")
    if scores.basis is None:
        return scores
    way = "after the first token" if is_streamed(answered) else "over the whole answer"
    return replace(scores, basis=replace(scores.basis, protocol=(("time per token", way),)))


def queue_time(responses: Iterable[Response]) -> Scores:
    """Seconds that each request waited here before the attempt that was answered; lower is better.

    For leave of a rate limit, and for attempts that failed; what it waits at the server is in `latency`.
    """
    return _scores("queue_time", responses, waited_seconds)


def total_seconds(response: Response) -> float | Unscored:
    """From sending the request to the end of its answer."""
    return response.timing.seconds if response.timing.started_at else UNTIMED


def first_token_seconds(response: Response) -> float | Unscored:
    """From sending the request to its first text."""
    first = response.timing.first_token_seconds
    return NO_FIRST_TOKEN if first is None else first


def waited_seconds(response: Response) -> float | Unscored:
    """Before the attempt that was answered."""
    return response.timing.waited_seconds if response.timing.started_at else UNTIMED


def per_token_clock(responses: Sequence[Response]) -> Clock:
    """The time a token of these responses: after the first one where they are streamed, else of the whole answer."""
    return _after_the_first if is_streamed(responses) else _over_all


def is_streamed(responses: Sequence[Response]) -> bool:
    """Whether the time of the first token is known of any answer."""
    trials = (trial for response in responses for trial in trials_of(response))
    return any(trial.timing.first_token_seconds is not None for trial in trials)


def trials_of(response: Response) -> tuple[Response, ...]:
    """All trials of a response to a case, else the response itself."""
    return response.trials or (response,)


def _after_the_first(response: Response) -> float | Unscored:
    first, tokens = first_token_seconds(response), response.usage.completion_tokens
    if isinstance(first, Unscored) or tokens < _FEWEST_TOKENS:
        return first if isinstance(first, Unscored) else TOO_SHORT
    return (response.timing.seconds - first) / (tokens - 1)


def _over_all(response: Response) -> float | Unscored:
    total, tokens = total_seconds(response), response.usage.completion_tokens
    if isinstance(total, Unscored) or tokens < _FEWEST_TOKENS:
        return total if isinstance(total, Unscored) else TOO_SHORT
    return total / tokens


def _scores(name: str, responses: Iterable[Response], clock: Clock, unit: str = "s") -> Scores:
    def seconds(_: Case, response: Response) -> float | Unscored:
        return REPLAYED if response.replayed else clock(response)

    empty = empty_scores(name, unit=unit, higher_is_better=False, bounds=None)
    return score_responses(responses, seconds, empty)


def _as_sequence(responses: Iterable[Response]) -> Sequence[Response]:
    return responses if isinstance(responses, Sequence) else list(responses)
