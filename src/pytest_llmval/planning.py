"""Plan: what a run would ask, and what is recorded already. No model is run for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.asking import plan_blocks
from pytest_llmval.case_sets.message import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.asking import Block
    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.run import Run
    from pytest_llmval.settings import ModelSettings

COLUMNS = ("version", "case set", "requests", "blocks", "recorded", "prompt tokens", "output tokens, at most")


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
    """Of the blocks that are not recorded."""
    output_tokens: int
    """Most that the blocks that are not recorded can generate; choices generate none."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table, in the order of COLUMNS."""
        figures = (self.requests, self.blocks, self.recorded, self.prompt_tokens, self.output_tokens)
        return (self.version, self.case_set, *(f"{figure:,}" for figure in figures))


def plan_case_set(run: Run, case_set: CaseSet, model: ModelSettings) -> Plan:
    """The plan of a version and a case set; the tokenizer is loaded, the weights are not."""
    blocks = plan_blocks(run, case_set, model)
    open_blocks = [block for block in blocks if run.store.find_block(block.index_key) is None]
    return Plan(
        version=model.name,
        case_set=case_set.label,
        requests=sum(len(block.requests) for block in blocks),
        blocks=len(blocks),
        recorded=len(blocks) - len(open_blocks),
        prompt_tokens=_prompt_tokens(run, open_blocks),
        output_tokens=sum(_most_tokens(block) for block in open_blocks),
    )


def _prompt_tokens(run: Run, blocks: Sequence[Block]) -> int:
    """Tokens of the prompts and of the options, without those a chat template adds."""
    texts = [
        text for block in blocks for request in block.requests for text in (as_text(request.prompt), *request.choices)
    ]
    return sum(run.server(blocks[0].model).count_tokens(text) for text in texts)


def _most_tokens(block: Block) -> int:
    return sum(0 if request.choices else request.decoding.max_tokens for request in block.requests)


def plan_rows(plans: Sequence[Plan]) -> Iterator[tuple[str, ...]]:
    """The plan as a table with a last row of sums."""
    yield COLUMNS
    for plan in plans:
        yield plan.cells
    names = ("requests", "blocks", "recorded", "prompt_tokens", "output_tokens")
    yield ("all", "", *(f"{sum(getattr(plan, name) for plan in plans):,}" for name in names))
