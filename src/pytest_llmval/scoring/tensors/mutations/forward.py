"""Bugs of code that leave the weights untouched: positions, masks, scales of the attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn


def positions_scaled(rotary: str, factor: float) -> Callable[[nn.Module, nn.Module], Any]:
    """A layer's rotary positions times a factor."""

    def register(model: nn.Module, layer: nn.Module) -> Any:
        tables = model.get_submodule(rotary)

        def change(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            hidden = args[0] if args else kwargs["hidden_states"]
            places = kwargs["position_ids"].float() * factor
            return args, {**kwargs, "position_embeddings": tables(hidden, places)}

        return layer.register_forward_pre_hook(change, with_kwargs=True)

    return register


def first_key_masked(row: int) -> Callable[[nn.Module, nn.Module], Any]:
    """In one row of the batch, later tokens no longer see the first one."""

    def register(_: nn.Module, layer: nn.Module) -> Any:
        def change(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            mask = kwargs.get("attention_mask")
            if mask is None or len(mask) <= row:
                return args, kwargs
            return args, {**kwargs, "attention_mask": _without_first_key(mask.clone(), row)}

        return layer.register_forward_pre_hook(change, with_kwargs=True)

    return register


def _without_first_key(mask: Tensor, row: int) -> Tensor:
    import torch

    blocked = False if mask.dtype == torch.bool else torch.finfo(mask.dtype).min
    last = mask[row, :, -1]
    seen = last if mask.dtype == torch.bool else last == 0
    first = int(seen[0].nonzero()[0])
    mask[row, :, first + 1 :, first] = blocked
    return mask


def output_heads_rolled(size: int) -> Callable[[nn.Module, nn.Module], Any]:
    """What a projection returns, every head in the place of the next one."""

    def register(_: nn.Module, module: nn.Module) -> Any:
        return module.register_forward_hook(lambda _m, _i, output: output.roll(size, dims=-1))

    return register


def next_key_seen() -> Callable[[nn.Module, nn.Module], Any]:
    """Every token sees the one after it."""

    def register(_: nn.Module, layer: nn.Module) -> Any:
        def change(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            hidden = args[0] if args else kwargs["hidden_states"]
            mask = kwargs.get("attention_mask")
            return args, {**kwargs, "attention_mask": _leaking(mask, hidden)}

        return layer.register_forward_pre_hook(change, with_kwargs=True)

    return register


def _leaking(mask: Tensor | None, hidden: Tensor) -> Tensor:
    """A mask in which the diagonal above the causal one is open, too; padding stays hidden."""
    import torch

    length = hidden.shape[1]
    if mask is None:
        return torch.ones((1, 1, length, length), dtype=torch.bool, device=hidden.device).tril(1)
    leaking = mask.clone()
    at = torch.arange(min(mask.shape[-2], mask.shape[-1]) - 1, device=mask.device)
    leaking[..., at, at + 1] = leaking[..., at + 1, at + 1]
    return leaking


def with_shifted_labels(loss: Callable[..., Any]) -> Callable[..., Any]:
    """A loss function whose labels stand one place too late."""

    def shifted(logits: Tensor, labels: Tensor, **kwargs: Any) -> Any:
        return loss(logits=logits, labels=labels.roll(1, dims=-1), **kwargs)

    return shifted


def layers_exchanged(other: str) -> Callable[[nn.Module, nn.Module], Any]:
    """A layer does what another one should, and the other way round."""

    def register(model: nn.Module, layer: nn.Module) -> Any:
        return _Exchanged(layer, model.get_submodule(other))

    return register


class _Exchanged:
    """Weights of two modules of one shape, exchanged until removed."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        self._pairs = list(zip(first.parameters(), second.parameters(), strict=True))
        self._exchange()

    def _exchange(self) -> None:
        for one, other in self._pairs:
            one.data, other.data = other.data, one.data

    def remove(self) -> None:
        """Exchange them back."""
        self._exchange()
