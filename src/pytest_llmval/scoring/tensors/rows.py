"""Rows of token ids as batches of tensors: together, apart, padded and packed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.invariances.subject import accepts, device_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    Batch = dict[str, torch.Tensor]
    """`input_ids`, `attention_mask`, `position_ids` and `labels`, each `[rows, columns]`."""

IGNORED = -100
"""Label of tokens that do not count: padding, and the first of each row, which has no context."""
_FEWEST = 2


def arranged(
    rows: Sequence[Sequence[int]], *, packing: bool, pads: Sequence[int], pad_id: int
) -> dict[str, list[Batch]]:
    """The same rows in other batches, by what was done.

    Raises:
        ValueError: If rows are too few, too short or all of one length, where a mean of means is the mean.
    """
    _refuse(rows)
    found = {
        "one row a batch": [together([row], pad_id=pad_id) for row in rows],
        "first row apart": [together(rows[:1], pad_id=pad_id), together(rows[1:], pad_id=pad_id)],
        "last row apart": [together(rows[:-1], pad_id=pad_id), together(rows[-1:], pad_id=pad_id)],
        "rows reversed": [together(rows[::-1], pad_id=pad_id)],
    }
    for columns in pads:
        found[f"{columns} more columns at the right"] = [together(rows, pad_id=pad_id, right=columns)]
        found[f"padded at the left, {columns} more columns"] = [together(rows, pad_id=pad_id, left=columns)]
    return found | ({"packed into one row": [packed(rows)]} if packing else {})


def together(rows: Sequence[Sequence[int]], *, pad_id: int = 0, right: int = 0, left: int | None = None) -> Batch:
    """One batch. Padding stands at the right, with `right` more columns than the longest row needs, or at the left."""
    longest = max(len(row) for row in rows)
    width = longest + (right if left is None else left)
    return _tensors([_padded(row, width, pad_id, at_left=left is not None) for row in rows])


def packed(rows: Sequence[Sequence[int]]) -> Batch:
    """All rows behind each other as one: positions start again at each, the first token of each is never scored.

    There is no attention mask: the positions say where a row ends.
    """
    ids = list(itertools.chain(*rows))
    positions = list(itertools.chain(*(range(len(row)) for row in rows)))
    labels = list(itertools.chain(*([IGNORED, *row[1:]] for row in rows)))
    batch = _tensors([(ids, [1] * len(ids), positions, labels)])
    del batch["attention_mask"]
    return batch


def arguments_of(module: torch.nn.Module, batch: Batch) -> Batch:
    """What a module's forward takes of a batch, on the device of its parameters; without any, where it is."""
    device = None if next(module.parameters(), None) is None else device_of(module)
    return {name: tensor.to(device) for name, tensor in batch.items() if accepts(module, name)}


def _padded(
    row: Sequence[int], width: int, pad_id: int, *, at_left: bool
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ids, mask, positions and labels of a row."""
    gap = width - len(row)
    before, after = (gap, 0) if at_left else (0, gap)

    def filled(values: Sequence[int], value: int) -> list[int]:
        return [value] * before + list(values) + [value] * after

    positions = [0] * before + list(range(len(row) + after))
    return filled(row, pad_id), filled([1] * len(row), 0), positions, filled([IGNORED, *row[1:]], IGNORED)


def _tensors(rows: Sequence[tuple[list[int], list[int], list[int], list[int]]]) -> Batch:
    import torch

    names = ("input_ids", "attention_mask", "position_ids", "labels")
    return {name: torch.tensor(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _refuse(rows: Sequence[Sequence[int]]) -> None:
    lengths = [len(row) for row in rows]
    if len(rows) < _FEWEST or min(lengths) < _FEWEST:
        msg = f"rows of lengths {lengths}; expected at least two rows of at least two tokens"
        raise ValueError(msg)
    if len(set(lengths)) == 1:
        msg = f"all rows have {lengths[0]} tokens, where a mean of means is the mean; expected different lengths"
        raise ValueError(msg)
