"""Attention masks of any form as one: which position may see which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_llmval.scoring.tensors.layers.prompts import Batch

_BLOCKED = -1e4  # float16 has no number below −65504, and biases such as ALiBi's stay above
_DIMENSIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Who sees whom, `[rows or 1, heads or 1, queries, keys]`."""

    allowed: Tensor
    bias: Tensor | None
    """What is added to the scores where allowed; None for nothing."""


@dataclass(frozen=True, slots=True)
class MaskDifference:
    """Where two masks differ among the queries that are tokens."""

    count: int
    row: int
    query: int
    key: int
    """Of the first difference, counted from the start of the text."""
    allowed: bool
    """Whether the reference lets the query see the key."""


def sight_of(mask: Any, batch: Batch, attention: str) -> Sight | None:
    """What a mask lets be seen; None for a form that is not known.

    Args:
        mask: As a layer is given it: none, `[rows, keys]`, or `[rows, heads, queries, keys]` of bools or of numbers
            to add.
        batch: The prompts.
        attention: The implementation, which says what no mask means: with `eager` that everything is seen.
    """
    import torch

    causal = torch.ones((1, 1, batch.length, batch.length), dtype=torch.bool).tril()
    if mask is None:
        return Sight(causal | (attention == "eager"), None)
    if not isinstance(mask, torch.Tensor):
        return None
    if mask.ndim == 2:  # noqa: PLR2004 - rows and keys
        return Sight(causal & mask.bool().cpu()[:, None, None], None)
    if mask.ndim != _DIMENSIONS:
        return None
    if mask.dtype == torch.bool:
        return Sight(mask.cpu(), None)
    values = mask.float().cpu()
    allowed = values > _BLOCKED
    bias = torch.where(allowed, values, 0.0)
    return Sight(allowed, bias if bias.any() else None)


def difference_of(candidate: Sight, reference: Sight, batch: Batch) -> MaskDifference | None:
    """The first difference of two masks; None when every token sees the same."""
    differing = _differing(candidate, reference)
    rows = len(batch.rows)
    differing = differing.expand(rows, *differing.shape[1:]) if len(differing) == 1 else differing
    found = None
    count = 0
    for row, start in enumerate(batch.starts()):
        places = differing[row, :, start:, start:].any(0).nonzero()
        hidden = differing[row, :, start:, :start].any(0).nonzero()
        count += len(places) + len(hidden)
        if found is None and len(places) + len(hidden):
            query, key = (places if len(places) else hidden)[0].tolist()
            key = key if len(places) else key - start
            found = MaskDifference(0, row, query, key, bool(_at(reference, row, query + start, key + start)))
    return found and MaskDifference(count, found.row, found.query, found.key, found.allowed)


def mask_like(sight: Sight, own: Any, batch: Batch, dtype: Any, device: Any) -> Any:
    """A mask that lets be seen what `sight` does, in the form of a layer's own one; padding sees itself."""
    import torch

    rows = len(batch.rows)
    allowed = sight.allowed.expand(rows, *sight.allowed.shape[1:]).clone()
    for row, start in enumerate(batch.starts()):
        allowed[row, :, :start] |= torch.eye(batch.length, dtype=torch.bool)[:start]
    if own is not None and own.dtype.is_floating_point:
        bias = torch.zeros(()) if sight.bias is None else sight.bias
        return torch.where(allowed, bias, torch.finfo(own.dtype).min).to(device, own.dtype)
    if sight.bias is None:
        return allowed.to(device)
    return torch.where(allowed, sight.bias, torch.finfo(dtype).min).to(device, dtype)


def _differing(candidate: Sight, reference: Sight) -> Tensor:
    differing = candidate.allowed != reference.allowed
    if candidate.bias is not None or reference.bias is not None:
        ours = 0.0 if candidate.bias is None else candidate.bias
        theirs = 0.0 if reference.bias is None else reference.bias
        differing = differing | (differing.logical_not() & _apart(ours, theirs))
    return differing


def _apart(ours: Any, theirs: Any) -> Tensor:
    import torch

    ours, theirs = torch.as_tensor(ours), torch.as_tensor(theirs)
    apart: Tensor = (ours - theirs).abs() > 1e-2 * theirs.abs().clamp(min=1e-3)  # a rounding to bfloat16 is 4e-3
    return apart


def _at(sight: Sight, row: int, query: int, key: int) -> Tensor:
    allowed = sight.allowed
    return allowed[row if len(allowed) > 1 else 0, :, query, key].any()
