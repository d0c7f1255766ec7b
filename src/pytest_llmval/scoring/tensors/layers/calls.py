"""Calls: what a module is given besides the hidden state, and how one model's call is made with another's values."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

MASK = "attention_mask"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Arguments of a layer by name, without the hidden state, which is the first."""

    values: Mapping[str, Any]

    @property
    def mask(self) -> Any:
        """The attention mask that the layer is given; None for none."""
        return self.values.get(MASK)

    @property
    def tables(self) -> dict[str, Any]:
        """Floating-point tensors beside the mask, for example the rotary tables, with their nesting."""
        return {name: value for name, value in self.values.items() if name != MASK and has_floats(value)}

    def run(self, module: nn.Module, hidden: Tensor) -> Tensor:
        """The hidden state that a module makes of one in its own dtype and on its own device."""
        return hidden_of(module(hidden, **self.values))

    def forced(self, other: Call, mask: Any) -> Call:
        """This call with the tables of another, in this one's dtypes and devices, and a mask."""
        tables = {name: as_like(other.tables[name], own) for name, own in self.tables.items() if name in other.tables}
        return replace(self, values={**self.values, **tables, **({MASK: mask} if MASK in self.values else {})})


def call_of(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Call]:
    """The hidden state of a call, and the rest of it by name."""
    bound = inspect.signature(type(module).forward).bind(module, *args, **kwargs)
    named: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        named.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    first = next(iter(named))
    return named.pop(first), Call(named)


def hidden_of(output: Any) -> Tensor:
    """The hidden state among what a module returns: itself, or the first of several."""
    hidden: Tensor = output[0] if isinstance(output, tuple | list) else output
    return hidden


def has_floats(value: Any) -> bool:
    """Whether there is a floating-point tensor in a value."""
    import torch

    if isinstance(value, tuple | list):
        return any(map(has_floats, value))
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def as_like(value: Any, own: Any) -> Any:
    """A value, its floating-point tensors in the dtypes and on the devices of another of the same nesting."""
    import torch

    if isinstance(own, tuple | list) and isinstance(value, tuple | list) and len(own) == len(value):
        return type(own)([as_like(each, mine) for each, mine in zip(value, own, strict=True)])
    if isinstance(own, torch.Tensor) and isinstance(value, torch.Tensor) and own.shape == value.shape:
        return value.to(own) if own.is_floating_point() else own
    return own


def placed(value: Any, device: Any, dtype: Any) -> Any:
    """A value on a device, its floating-point tensors in a dtype."""
    return mapped(value, lambda each: each.to(device, dtype) if each.is_floating_point() else each.to(device))


def mapped(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """A value with every tensor in it changed."""
    import torch

    if isinstance(value, tuple | list):
        return type(value)([mapped(each, change) for each in value])
    if isinstance(value, dict):
        return {name: mapped(each, change) for name, each in value.items()}
    return change(value) if isinstance(value, torch.Tensor) else value
