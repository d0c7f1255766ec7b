"""How probable given tokens are: continuations after contexts, and choices among them."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.batching import limit_batch, plan_batches
from pytest_llmval.servers.engine.encoding import encode_pair, render
from pytest_llmval.servers.engine.prefill import prefill
from pytest_llmval.servers.engine.token_scores import CELLS, Tail, TokenScores, score_tails, score_tokens, split_scores
from pytest_llmval.servers.exchange import Choice, LogLikelihood, Response, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.engine.prefill import Context
    from pytest_llmval.servers.exchange import Request


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of a context, at least one, and of the continuation that is scored."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


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
    pairs = [prepare_pair(network, tokenizer, text, choice, special=special) for choice in request.choices]
    return Question(request, tuple(pairs))


def prepare_pair(network: Network, tokenizer: Any, context: str, continuation: str, *, special: bool = True) -> Pair:
    """The pair of two texts.

    Raises:
        RequestRefused: If the continuation has no token or both do not fit the model's context.
    """
    before, after = encode_pair(tokenizer, context, continuation, special=special)
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
    """The likelihood of each continuation; equal contexts are read once."""
    if not network.resumable:
        tails = [Tail(pair.context + pair.continuation, len(pair.continuation)) for pair in pairs]
        return [scores.total() for scores in score_tails(network, tails, batch_size)]
    members: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, pair in enumerate(pairs):
        members[pair.context].append(at)
    scores: dict[int, TokenScores] = {}
    contexts = list(members)
    for batch in plan_batches(contexts, batch_size):
        asked = [(row, at) for row, place in enumerate(batch) for at in members[contexts[place]]]
        branches = [Branch(row, pairs[at].continuation) for row, at in asked]
        found = _score_branches(network, [contexts[place] for place in batch], branches, batch_size)
        scores |= {at: each for (_, at), each in zip(asked, found, strict=True)}
    return [scores[at].total() for at in range(len(pairs))]


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation and the row of the context it follows."""

    row: int
    continuation: tuple[int, ...]


def _score_branches(
    network: Network, contexts: Sequence[Sequence[int]], branches: Sequence[Branch], batch_size: int
) -> list[TokenScores]:
    """Scores of continuations of one batch of contexts."""
    context = prefill(network, contexts, max(len(branch.continuation) for branch in branches) - 1)
    # What follows a context is known once it is read, so first tokens, often the only ones, need no second pass.
    firsts = [branch.continuation[0] for branch in branches]
    scores = split_scores(
        score_tokens(context.logits, firsts, [branch.row for branch in branches]), [1] * len(branches)
    )
    longer = [at for at, branch in enumerate(branches) if len(branch.continuation) > 1]
    lengths = [len(branches[at].continuation) - 1 for at in longer]
    for batch in limit_batch(lengths, batch_size, CELLS // network.vocabulary):
        places = [longer[number] for number in batch]
        for at, rest in zip(places, _score_rests(context, [branches[at] for at in places]), strict=True):
            scores[at] += rest
    return scores


def _score_rests(context: Context, branches: Sequence[Branch]) -> list[TokenScores]:
    """Scores of all tokens but the first; every continuation has a second one."""
    rests = [branch.continuation[1:] for branch in branches]
    ids, mask = context.network.padded([branch.continuation[:-1] for branch in branches], "right")
    logits = context.select([branch.row for branch in branches]).read(ids, mask)[mask.bool()]
    targets = [token for rest in rests for token in rest]
    return split_scores(score_tokens(logits, targets), [len(rest) for rest in rests])
