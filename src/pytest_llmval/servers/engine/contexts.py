"""Contexts are read once and their continuations after them, from the cache: for models that take no 4-D mask."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.servers.engine.batching import plan_batches
from pytest_llmval.servers.engine.plan import Estimate, plan_widths
from pytest_llmval.servers.engine.prefill import prefill, shared_prefix
from pytest_llmval.servers.engine.token_scores import TokenScores, score_tokens, split_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.engine.pair import Pair
    from pytest_llmval.servers.engine.plan import Costs
    from pytest_llmval.servers.engine.prefill import Context


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation and the row of the context it follows."""

    row: int
    continuation: tuple[int, ...]
    asker: int
    """Which pair it belongs to."""


@dataclass(frozen=True, slots=True)
class ContextBatch:
    """Contexts that are read together, and what follows them."""

    contexts: tuple[tuple[int, ...], ...]
    branches: tuple[Branch, ...]

    @property
    def following(self) -> int:
        """Most tokens that are read after a context; the last one of a continuation is only scored."""
        return max(len(branch.continuation) for branch in self.branches) - 1


def plan_contexts(pairs: Sequence[Pair], batch_size: int) -> list[ContextBatch]:
    """Batches of distinct contexts, each with the continuations of all pairs that have it."""
    members: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, pair in enumerate(pairs):
        members[pair.context].append(at)
    contexts = tuple(members)
    return [
        ContextBatch(
            tuple(contexts[place] for place in batch),
            tuple(
                Branch(row, pairs[at].continuation, at)
                for row, place in enumerate(batch)
                for at in members[contexts[place]]
            ),
        )
        for batch in plan_batches(contexts, batch_size)
    ]


def estimate_contexts(network: Network, batches: Sequence[ContextBatch], costs: Costs) -> Estimate:
    """What these batches read, and what it costs."""
    return sum((_estimate(network, batch, costs) for batch in batches), Estimate(0, 0.0))


def _estimate(network: Network, batch: ContextBatch, costs: Costs) -> Estimate:
    shared = shared_prefix(network, batch.contexts, batch.following)
    rows, longest = len(batch.contexts), max(map(len, batch.contexts))
    first = Estimate(shared, costs.batch + costs.of_row(shared)) if shared else Estimate(0, 0.0)
    columns = longest - shared
    first += Estimate(rows * columns, costs.batch + rows * costs.of_row(columns, shared))
    lengths = [len(branch.continuation) - 1 for branch in batch.branches if len(branch.continuation) > 1]
    return first + Estimate.of_rows(lengths, costs, longest)


def score_contexts(network: Network, batches: Sequence[ContextBatch], costs: Costs) -> list[TokenScores]:
    """Scores of each pair's continuation, in the order of the pairs."""
    scores: dict[int, TokenScores] = {}
    for batch in batches:
        found = _score_branches(network, batch, costs)
        scores |= {branch.asker: each for branch, each in zip(batch.branches, found, strict=True)}
    return [scores[at] for at in range(len(scores))]


def _score_branches(network: Network, batch: ContextBatch, costs: Costs) -> list[TokenScores]:
    """Scores of the continuations of one batch of contexts."""
    context, branches = prefill(network, batch.contexts, batch.following), batch.branches
    # What follows a context is known once it is read, so first tokens, often the only ones, need no second pass.
    firsts = [branch.continuation[0] for branch in branches]
    scores = split_scores(
        score_tokens(context.logits, firsts, [branch.row for branch in branches]), [1] * len(branches)
    )
    longer = [at for at, branch in enumerate(branches) if len(branch.continuation) > 1]
    lengths = [len(branches[at].continuation) - 1 for at in longer]
    for rows in plan_widths(lengths, costs, context.mask.shape[1]):
        places = [longer[number] for number in rows]
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
