"""What the weights of a faulty module say: equal to the reference's, or the transform that they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.transforms import weight_transform

if TYPE_CHECKING:
    from torch import Tensor, nn

_TOO_LARGE = 1 << 26  # elements; in float64 half a gigabyte


def weight_hint(candidate: nn.Module, reference: nn.Module, head_dim: int | None = None) -> str:
    """The words for how a module's own weights differ; empty when they differ in no way that is known."""
    ours, theirs = dict(candidate.named_parameters()), dict(reference.named_parameters())
    if ours.keys() != theirs.keys() or any(ours[name].shape != theirs[name].shape for name in ours):
        return "its weights have other names or shapes"
    differing = [name for name in ours if not _equal(ours[name], theirs[name])]
    if not differing:
        return "its weights are equal: the fault is in its code" if ours else ""
    hints = [(name, _looks(ours[name], theirs[name], head_dim)) for name in differing]
    return "; ".join(f"its {name} looks {hint}" if hint else f"its {name} differs" for name, hint in hints)


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    import torch

    return torch.equal(ours.detach().cpu(), theirs.detach().to(ours.dtype).cpu())


def _looks(ours: Tensor, theirs: Tensor, head_dim: int | None) -> str:
    return "" if ours.numel() > _TOO_LARGE else weight_transform(values_of(ours), values_of(theirs), head_dim)
