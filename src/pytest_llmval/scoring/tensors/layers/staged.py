"""Staged model: a causal language model run stage by stage by its own modules."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.layers.calls import Call, call_of, hidden_of, placed
from pytest_llmval.scoring.tensors.layers.layout import Layout, stopped_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from pytest_llmval.scoring.tensors.layers.prompts import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Prologue:
    """What a model does before its first layer."""

    hidden: Tensor
    """What arrives at the first layer, `[rows, length, hidden]`."""
    calls: tuple[Call, ...]
    """What each layer is given besides."""
    outputs: dict[str, Any]
    """Of the modules called before the first layer, by path."""


class StagedModel:
    """A model in parts: prologue, layers, final norm, head. The model itself is left as it was."""

    def __init__(self, model: nn.Module, layout: Layout) -> None:
        self.model, self.layout = model, layout
        weight = next(each for each in model.parameters() if each.is_floating_point())
        self.dtype, self.device = weight.dtype, weight.device
        config: Any = model.config
        self.config = config.get_text_config()
        self.attention = str(getattr(config, "_attn_implementation", None))

    def prologue(self, batch: Batch) -> Prologue:
        """Everything up to the first layer, and the arguments that the model's own code gives to each."""
        calls: list[tuple[Tensor, Call]] = []
        outputs: dict[str, Any] = {}
        kept = _outputs_kept(self.model, self.layout.before, outputs)
        with self._stubs(calls), kept, stopped_at(self.model, self.layout.norm):
            self.model(**batch.inputs(self.device), use_cache=False)
        return Prologue(calls[0][0], tuple(call for _, call in calls), outputs)

    def layer(self, index: int) -> nn.Module:
        """A layer."""
        return self.model.get_submodule(self.layout.layer(index))

    def norm(self, hidden: Tensor) -> Tensor:
        """The final norm of a hidden state."""
        return hidden_of(self.model.get_submodule(self.layout.norm)(hidden))

    def logits(self, normed: Tensor) -> Tensor:
        """Logits of normed hidden states `[..., hidden]`, by whatever the model does after its norm."""
        import torch

        def inject(*_: object) -> Tensor:
            return normed

        handle = self.model.get_submodule(self.layout.norm).register_forward_hook(inject)
        try:
            with self._stubs(None):
                given = torch.zeros((1, 1), dtype=torch.long, device=self.device)
                logits: Tensor = self.model(input_ids=given, use_cache=False).logits
                return logits.reshape(*normed.shape[:-1], -1)  # GPT-2 takes the shape of its input ids for that
        finally:
            handle.remove()

    def own(self, value: Any) -> Any:
        """A value in this model's dtype and on its device."""
        return placed(value, self.device, self.dtype)

    @contextmanager
    def _stubs(self, calls: list[tuple[Tensor, Call]] | None) -> Iterator[None]:
        """In place of the layers stand stubs that hand the hidden state on, and note their calls where asked to."""
        layers = self.model.get_submodule(self.layout.layers)
        originals = dict(layers.named_children())
        stub = _stub_class()
        try:
            for name, layer in originals.items():
                setattr(layers, name, stub(getattr(layer, "stands_for", layer), calls))
            yield
        finally:
            for name, layer in originals.items():
                setattr(layers, name, layer)


class CastCopy(StagedModel):
    """A model in another dtype or with another attention implementation, one layer of it in memory at a time."""

    def __init__(self, source: nn.Module, layout: Layout, dtype: Any, attention: str) -> None:
        import torch

        self._source = source
        self._change = dtype, attention
        layers = source.get_submodule(layout.layers)
        stubs = torch.nn.ModuleList([_stub_class()(layer, None) for layer in layers.children()])
        super().__init__(_cast(source, dtype, attention, layers, stubs), layout)

    def layer(self, index: int) -> nn.Module:
        """A copy of a layer."""
        copied: nn.Module = _cast(self._source.get_submodule(self.layout.layer(index)), *self._change)
        return copied


@cache
def _stub_class() -> type[nn.Module]:
    """The class of stubs; made on first use, since torch is not imported before."""
    import torch

    class Stub(torch.nn.Module):
        """Hands the hidden state on; notes its call, where there is a list of calls."""

        stands_for: Any

        def __init__(self, layer: nn.Module, calls: list[tuple[Tensor, Call]] | None) -> None:
            super().__init__()
            # Past torch's own __setattr__: the layer is looked at, and no part of the stub.
            object.__setattr__(self, "stands_for", layer)
            object.__setattr__(self, "calls", calls)

        def forward(self, *args: Any, **kwargs: Any) -> Tensor:
            calls = self.__dict__["calls"]
            if calls is None:
                passed: Tensor = next(iter((*args, *kwargs.values())))
                return passed
            hidden, call = call_of(self.stands_for, args, kwargs)
            calls.append((hidden, call))
            return hidden

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.stands_for, name)  # for example attention_type, which the model's loop reads

    return Stub


@contextmanager
def _outputs_kept(model: nn.Module, paths: tuple[str, ...], outputs: dict[str, Any]) -> Iterator[None]:
    def keep(path: str, output: Any) -> None:
        outputs[path] = output

    handles = [
        model.get_submodule(path).register_forward_hook(lambda _m, _i, output, path=path: keep(path, output))
        for path in paths
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _cast(
    module: nn.Module, dtype: Any, attention: str, left_out: nn.Module | None = None, instead: nn.Module | None = None
) -> Any:
    """A copy with its weights in a dtype; one part may be left out, and something else stand in its place.

    Only weights are cast: buffers such as the inverse frequencies of rotary tables stay in float32, where
    `module.to(dtype)` would round them.
    """
    import torch

    known = set(map(id, left_out.parameters())) if left_out else set()
    memo: dict[int, Any] = {id(left_out): instead} if left_out else {}
    for weight in module.parameters():
        if weight.is_floating_point() and id(weight) not in known:
            memo[id(weight)] = torch.nn.Parameter(weight.detach().to(dtype), requires_grad=False)
    copied = copy.deepcopy(module, memo)
    for part in copied.modules():
        if "config" in part.__dict__ and hasattr(part.config, "_attn_implementation"):
            part.config._attn_implementation = attention  # noqa: SLF001 - transformers has no other name for it
    return copied
