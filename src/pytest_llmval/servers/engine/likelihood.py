"""How probable given tokens are: continuations after contexts, and choices among them."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.contexts import estimate_contexts, plan_contexts, score_contexts
from pytest_llmval.servers.engine.encoding import encode_pair, refuse_double_bos, render
from pytest_llmval.servers.engine.packing import readings_of, score_packed
from pytest_llmval.servers.engine.pair import Pair
from pytest_llmval.servers.engine.plan import Estimate, Readings, pack
from pytest_llmval.servers.engine.token_scores import most_positions, reading_costs, score_tails
from pytest_llmval.servers.exchange import Choice, LogLikelihood, Response, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.engine.token_scores import Tail, TokenScores
    from pytest_llmval.servers.exchange import Request

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A request with choices, tokenised: one pair a choice."""

    request: Request
    pairs: tuple[Pair, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """What the model reads first, for sorting by length."""
        return self.pairs[0].context


def prepare_question(network: Network, tokenizer: Any, request: Request) -> Question:
    """The question of a request.

    Raises:
        RequestRefused: If a choice has no token or does not fit the context.
    """
    text, special = render(tokenizer, request.prompt)
    known: dict[Any, list[int]] = {}
    pairs = (prepare_pair(network, tokenizer, text, choice, special=special, known=known) for choice in request.choices)
    return Question(request, tuple(pairs))


def prepare_pair(
    network: Network,
    tokenizer: Any,
    context: str,
    continuation: str,
    *,
    special: bool = True,
    known: dict[Any, list[int]] | None = None,
) -> Pair:
    """The pair of two texts; `known` as in `encode_pair`.

    Raises:
        RequestRefused: If the continuation has no token, there are two BOS tokens, or both do not fit the model's
            context: nothing is cut off.
    """
    before, after = encode_pair(tokenizer, context, continuation, special=special, known=known)
    refuse_double_bos(tokenizer, [*before, *after], context + continuation)
    tokens, room = len(before) + len(after) - 1, network.context_length
    if room is not None and tokens > room:
        msg = (
            f"context of {len(before)} and continuation of {len(after)} tokens need {tokens} positions; "
            f"the model has {room}"
        )
        raise RequestRefused(msg)
    return Pair(tuple(before), tuple(after))


def choose(network: Network, questions: Sequence[Question]) -> list[Response]:
    """The preferred choice of each question, computed as one batch."""
    pairs = [pair for question in questions for pair in question.pairs]
    # A question alone has its choices read together; many have as many rows at once as there are contexts.
    rows = max(len(questions), *(len(question.pairs) for question in questions))
    found = iter(score_pairs(network, pairs, rows))
    return [_chosen(question, [next(found).logprob for _ in question.pairs]) for question in questions]


def _chosen(question: Question, logprobs: list[float]) -> Response:
    if any(math.isnan(logprob) for logprob in logprobs):
        return Response.failed(f"the log-likelihoods of the choices are {logprobs}; expected numbers")
    choices, best = question.request.choices, logprobs.index(max(logprobs))
    read = len(question.ids) + sum(len(pair.continuation) for pair in question.pairs)
    return Response(
        text=choices[best],
        finish_reason="choice",
        choice=Choice(best, tuple(logprobs), tuple(len(choice) for choice in choices)),
        usage=Usage(prompt_tokens=read),
    )


def score_pairs(network: Network, pairs: Sequence[Pair], batch_size: int) -> list[LogLikelihood]:
    """The likelihood of each continuation, computed in the way that costs least; equal pairs once."""
    distinct = list(dict.fromkeys(pairs))
    if not distinct:
        return []
    plan = plan_likelihood(network, distinct, batch_size)
    log.debug("likelihood of %d continuations: %s", len(pairs), plan)
    totals = {pair: scores.total() for pair, scores in zip(distinct, plan.compute(), strict=True)}
    return [totals[pair] for pair in pairs]


@dataclass(frozen=True, slots=True)
class LikelihoodPlan:
    """How likelihoods are computed: a function of what is asked and of the model alone."""

    strategy: Literal["plain rows", "shared contexts", "packed rows"]
    estimate: Estimate
    plain: Estimate
    """What plain rows, one a pair, would read."""
    refusal: str
    """Why rows cannot be packed; empty when they can."""
    compute: Callable[[], list[TokenScores]] = field(repr=False, compare=False)
    """Scores of each pair's continuation, in the order of the pairs."""

    def __str__(self) -> str:
        """Strategy and tokens, for a log."""
        why = f"; not packed: {self.refusal}" if self.refusal else ""
        return f"{self.strategy}, {self.estimate.tokens} tokens read, {self.plain.tokens} in plain rows{why}"


def plan_likelihood(network: Network, pairs: Sequence[Pair], batch_size: int) -> LikelihoodPlan:
    """The cheapest way to score pairs, at least one, that the model allows; the plainest of equally cheap ones."""
    costs, tails = reading_costs(network, batch_size), [pair.tail for pair in pairs]
    plain = Estimate.of_rows([len(tail.ids) - 1 for tail in tails], costs)
    refusal = _packing_refusal(network, tails)
    plans = [LikelihoodPlan("plain rows", plain, plain, refusal, partial(score_tails, network, tails, batch_size))]
    if network.resumable:
        batches = plan_contexts(pairs, batch_size)
        found, compute = estimate_contexts(network, batches, costs), partial(score_contexts, network, batches, costs)
        plans.append(LikelihoodPlan("shared contexts", found, plain, refusal, compute))
    if not refusal:
        packing = pack(Readings.of(readings_of(tails)), costs)
        compute = partial(score_packed, network, tails, packing)
        plans.append(LikelihoodPlan("packed rows", packing.estimate(costs), plain, refusal, compute))
    return min(plans, key=lambda plan: plan.estimate.cost)


def _packing_refusal(network: Network, tails: Sequence[Tail]) -> str:
    """Why these rows cannot be packed; empty when they can."""
    longest = max(len(tail.ids) - 1 for tail in tails)
    if network.gap_room and longest > network.gap_room:
        return f"a row of {longest} tokens is longer than the model's window of {network.gap_room}"
    if longest > (most := most_positions(network)):
        return f"a row of {longest} tokens has more positions than the {most} whose logits are held at once"
    return network.mask_refusal
