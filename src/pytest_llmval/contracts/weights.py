"""Weights that carry nothing: matrices of one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.wording import counted, lines_of, number

if TYPE_CHECKING:
    import torch

_MATRIX_AXES = 2


def assert_no_constant_matrix(model: torch.nn.Module) -> int:
    """Number of the weight matrices, none of which is filled with one value, as weights are that were never loaded.

    Vectors may be: norms begin as ones, biases as zeros, and some stay so.

    Raises:
        ModelRegression: If a matrix is; all of them are named.
        InvalidComparison: If there is no matrix.
    """
    __tracebackhide__ = True
    matrices = {
        name: weight
        for name, weight in model.named_parameters()
        if weight.ndim >= _MATRIX_AXES and weight.numel() > 1 and weight.is_floating_point()
    }
    if not matrices:
        msg = f"{type(model).__name__} has no weight matrix, so nothing was looked at; expected a language model"
        raise InvalidComparison(msg)
    dead = [f"{name} {tuple(each.shape)}: {_value(each)}" for name, each in matrices.items() if _is_constant(each)]
    if dead:
        head = f"{counted(len(dead), 'weight matrix', 'weight matrices')} of {len(matrices)} hold one value only"
        raise ModelRegression("\n".join([f"{head}: {dead[0]}", *lines_of(dead[1:])]))
    return len(matrices)


def _is_constant(weight: torch.Tensor) -> bool:
    return bool((weight == weight.flatten()[0]).all())


def _value(weight: torch.Tensor) -> str:
    return f"all {number(weight.flatten()[0].item())}"
