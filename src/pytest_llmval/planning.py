"""Plan: what a run would ask and what that would cost, and what is recorded already. No model is run for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.asking import asked_as, plan_blocks
from pytest_llmval.errors import RequestRefused
from pytest_llmval.records.spending import spent_before
from pytest_llmval.servers.exchange import Usage
from pytest_llmval.servers.opening import price_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.records.spending import Spent
    from pytest_llmval.run import Run
    from pytest_llmval.servers.exchange import Request
    from pytest_llmval.servers.server import Server
    from pytest_llmval.settings import ModelSettings

COLUMNS = (
    "version",
    "case set",
    "requests",
    "blocks",
    "recorded",
    "prompt tokens",
    "output tokens",
    "at most",
    "USD",
)
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one version would be asked of one case set."""

    version: str
    case_set: str
    requests: int
    blocks: int
    recorded: int
    """Blocks that an earlier run measured."""
    prompt_tokens: int
    """Of the blocks that are not recorded; where a server is asked, a context counts with each of its choices."""
    output_tokens: int
    """That the blocks that are not recorded will generate, as far as an earlier run tells; else the most they can."""
    most_output_tokens: int
    """Most that they can generate; choices generate none."""
    cost: float | None = 0.0
    """US dollars; None where the price is not known."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table, in the order of COLUMNS."""
        figures = (getattr(self, name) for name in SUMMED)
        return (self.version, self.case_set, *(f"{figure:,}" for figure in figures), money(self.cost))


SUMMED = ("requests", "blocks", "recorded", "prompt_tokens", "output_tokens", "most_output_tokens")


def plan_case_set(run: Run, case_set: CaseSet, model: ModelSettings) -> Plan:
    """The plan of a version and a case set; the tokenizer is loaded, the weights are not."""
    blocks = [block for block in plan_blocks(run, case_set, model) if block.requests]
    open_blocks = [block for block in blocks if run.store.find_block(block.index_key) is None]
    requests = [request for block in open_blocks for request in block.requests]
    server = run.server(model)
    read = sum(_prompt_tokens(server, request, repeats=model.is_asked) for request in requests)
    most = sum(map(_most_tokens, requests))
    before = spent_before(run.store, model.name, asked_as(case_set))
    written = _expected(most, len(requests), before)
    if before is not None and model.is_asked and model.reference_model is None:  # `read` is an estimate
        read = round(len(requests) * before.prompt_tokens / before.requests)
    price = price_of(model)
    return Plan(
        version=model.name,
        case_set=case_set.label,
        requests=sum(len(block.requests) for block in blocks),
        blocks=len(blocks),
        recorded=len(blocks) - len(open_blocks),
        prompt_tokens=read,
        output_tokens=written,
        most_output_tokens=most,
        cost=None if price is None else price.of(Usage(read, written)),
    )


def _prompt_tokens(server: Server, request: Request, *, repeats: bool) -> int:
    """Tokens of the prompt and of the options; none of a prompt that the model refuses.

    With `repeats` the context is sent with each option.
    """
    times = len(request.choices) if repeats and request.choices else 1
    try:
        prompt = server.count_tokens(request.prompt)
    except RequestRefused:
        return 0
    # Special tokens stand before the context alone: an option has those of its text.
    empty = server.count_tokens(" ") - 1 if request.choices else 0
    options = sum(max(1, server.count_tokens(choice) - empty) for choice in request.choices)
    return prompt * times + options


def _most_tokens(request: Request) -> int:
    return 0 if request.choices else request.decoding.max_tokens


def _expected(most: int, requests: int, before: Spent | None) -> int:
    """Tokens that will be generated: as many a request as before."""
    if before is None:
        return most
    return min(most, round(requests * before.completion_tokens / before.requests))


def plan_rows(plans: Sequence[Plan]) -> Iterator[tuple[str, ...]]:
    """The plan as a table with a last row of sums."""
    yield COLUMNS
    for plan in plans:
        yield plan.cells
    sums = (f"{sum(getattr(plan, name) for plan in plans):,}" for name in SUMMED)
    yield ("all", "", *sums, money(_total(plan.cost for plan in plans)))


def _total(costs: Iterable[float | None]) -> float | None:
    known = list(costs)
    return None if None in known else sum(cost for cost in known if cost is not None)


def money(cost: float | None) -> str:
    """US dollars in a table.

    >>> money(0.0), money(0.00045), money(12.5), money(None)
    ('0', '0.00045', '12.50', '?')
    """
    if cost is None:
        return UNKNOWN
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.3g}"
