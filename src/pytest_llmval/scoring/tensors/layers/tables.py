"""Tables: what layers are given beside the hidden state and the mask, above all the rotary embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.outputs import compare_states, states_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from pytest_llmval.scoring.tensors.layers.staged import Prologue
    from pytest_llmval.scoring.tensors.layers.trio import Trio


def compare_tables(trio: Trio, prologues: list[Prologue]) -> Iterator[StageFinding]:
    """One finding for each distinct table, named after the module that makes it."""
    seen: set[tuple[str, int]] = set()
    for index, calls in enumerate(zip(*(each.calls for each in prologues), strict=True)):
        for keyword, truth in calls[0].tables.items():
            mark = keyword, id(calls[1].tables.get(keyword))
            if mark not in seen:
                seen.add(mark)
                name = _name(trio, prologues[0], keyword, index if len(seen) > 1 else None)
                yield _compared(trio, name, [truth, *(call.tables.get(keyword) for call in calls[1:])])


def _name(trio: Trio, prologue: Prologue, keyword: str, index: int | None) -> str:
    layout = trio.candidate.layout
    makers = [path for path, output in prologue.outputs.items() if isinstance(output, tuple | list)]
    name = layout.short(makers[0]) if len(makers) == 1 else keyword
    return name if index is None else f"{name} of {layout.short(layout.layer(index))}"


def _compared(trio: Trio, name: str, tables: list[Any]) -> StageFinding:
    states = [_side_by_side(trio, each) for each in tables]
    if any(each is None for each in states):
        return StageFinding(name, StageVerdict.NOT_COMPARED, "the models give their layers other tables")
    return compare_states(trio, name, *states)  # type: ignore[arg-type]


def _side_by_side(trio: Trio, table: Any) -> Tensor | None:
    """The tensors of a table, cosines and sines, as one with more channels."""
    import torch

    parts = [states_of(each, trio) for each in (table if isinstance(table, tuple | list) else [table])]
    known = [each for each in parts if each is not None]
    return torch.cat(known, dim=-1) if known and len(known) == len(parts) else None
