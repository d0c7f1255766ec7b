"""Bugs of weights: a factor, a channel, heads in the wrong order, a coarse rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def scaled(factor: float) -> Callable[[Any], Any]:
    """A tensor or a number times a factor."""
    return lambda value: value * factor


def replaced_by(value: float) -> Callable[[Any], Any]:
    """A number in place of another."""
    return lambda _: value


def row_scaled(row: int, factor: float) -> Callable[[Tensor], Tensor]:
    """One output channel, or one token of an embedding, times a factor."""

    def change(weight: Tensor) -> Tensor:
        weight[row] *= factor
        return weight

    return change


def head_scaled(head: int, size: int, factor: float) -> Callable[[Tensor], Tensor]:
    """The rows of one head times a factor."""

    def change(weight: Tensor) -> Tensor:
        weight[head * size : (head + 1) * size] *= factor
        return weight

    return change


def heads_rolled(size: int) -> Callable[[Tensor], Tensor]:
    """Every head in the place of the next one."""
    return lambda weight: weight.roll(size, dims=0)


def rounded_to_bits(bits: int) -> Callable[[Tensor], Tensor]:
    """Each output channel rounded to the nearest of 2ᵇⁱᵗˢ − 1 values, symmetric about 0."""

    def change(weight: Tensor) -> Tensor:
        steps = 2 ** (bits - 1) - 1
        scale = (weight.abs().amax(dim=-1, keepdim=True) / steps).clamp(min=1e-30)
        rounded: Tensor = (weight / scale).round().clamp(-steps, steps) * scale
        return rounded

    return change
