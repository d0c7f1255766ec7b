"""Outputs of modules, compared where all three models have one on equal input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.judging import judged
from pytest_llmval.scoring.tensors.layers.sums import ErrorSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from pytest_llmval.scoring.tensors.layers.trio import Trio

_STATE, _HEADS = 3, 4  # axes of [rows, positions, channels] and of [rows, heads, positions, channels]


def compare_outputs(
    trio: Trio, reference: Mapping[str, Any], candidate: Mapping[str, Any], control: Mapping[str, Any]
) -> Iterator[StageFinding]:
    """The modules before the first layer, whose inputs are token ids and positions."""
    for path, truth in reference.items():
        states = [states_of(each.get(path), trio) for each in (reference, candidate, control)]
        if all(each is not None for each in states) and hasattr(truth, "shape"):
            yield compare_states(trio, trio.candidate.layout.short(path), *states)  # type: ignore[arg-type]


def compare_states(
    trio: Trio, name: str, truth: Tensor, ours: Tensor, theirs: Tensor, *, heads: int | None = None
) -> StageFinding:
    """One stage from what the three models make, `[rows or 1, length, channels]`."""
    if not truth.shape == ours.shape == theirs.shape:
        shapes = f"{tuple(truth.shape)} -> {tuple(ours.shape)}"
        return StageFinding(name, StageVerdict.NOT_COMPARED, f"its output has another shape: {shapes}")
    sums = ErrorSums(trio.spacing)
    for row, (exact, own, other) in enumerate(zip(*map(trio.texts, (truth, ours, theirs)), strict=True)):
        sums.add(row, exact, own, other, exact)
    return judged(name, sums, trio.limits, heads)


def states_of(value: Any, trio: Trio) -> Tensor | None:
    """The first floating-point tensor in a value as `[rows or 1, length, channels]`; None where it has no such axes."""
    import torch

    if isinstance(value, tuple | list):
        return next((found for each in value if (found := states_of(each, trio)) is not None), None)
    if not (isinstance(value, torch.Tensor) and value.is_floating_point()):
        return None
    rows, length = len(trio.batch.rows), trio.batch.length
    if value.ndim >= _STATE and value.shape[0] in {1, rows} and value.shape[1] == length:
        return value.flatten(2)
    if value.ndim == _HEADS and value.shape[0] in {1, rows} and value.shape[2] == length:
        return value.transpose(1, 2).flatten(2)
    if value.ndim == _STATE - 1 and value.shape[0] == rows * length:
        return value.view(rows, length, -1)
    return None
