"""Layout: where the stages of a causal language model are, seen from the order in which its modules are called."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

SUPPORTED = "a causal language model of transformers in the style of Llama, Qwen, Mistral, GPT-2 or Gemma"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of the modules that a causal language model consists of."""

    base: str
    """The part that holds the layers, for example `model`."""
    layers: str
    depth: int
    before: tuple[str, ...]
    """Modules called before the first layer: embeddings, rotary tables."""
    norm: str
    head: str

    def short(self, path: str) -> str:
        """A path as reports name it, below the base: `layers.3.self_attn.q_proj`.

        >>> Layout("model", "model.layers", 4, (), "model.norm", "lm_head").short("model.layers.3")
        'layers.3'
        """
        if path == self.head:
            return path.rpartition(".")[2]
        return path.removeprefix(f"{self.base}.") if self.base else path

    def whole(self, name: str) -> str:
        """The path of what reports name: the inverse of `short`."""
        if name == self.short(self.head):
            return self.head
        return f"{self.base}.{name}" if self.base else name

    def layer(self, index: int) -> str:
        """Path of a layer."""
        return f"{self.layers}.{index}"


class _Stopped(Exception):  # noqa: N818 - carries no error
    """The forward pass has shown all that is wanted of it."""


def layout_of(model: Any, who: str) -> Layout:
    """The layout of a model.

    Args:
        model: A causal language model of transformers.
        who: What messages call it, for example `the candidate`.

    Raises:
        TypeError: If it is no torch module.
        InvalidComparison: If it has no list of layers, no output head, is an encoder, or runs other modules between
            its last layer and its head than one norm.
    """
    path, layers = _layers_of(model, who)
    _require_causal(model, layers[0], who)
    head = _path_of(model, model.get_output_embeddings())
    if head is None:
        msg = f"{who} ({_name(model)}) has no output head to compare logits of; load it with AutoModelForCausalLM"
        raise InvalidComparison(msg)
    base = path.rpartition(".")[0]
    before, after = _called_around(model, base, path)
    after = [each for each in after if each not in {head, *before}]
    if len(after) != 1:
        listed = ", ".join(after) or "nothing"
        msg = f"{who} ({_name(model)}) calls {listed} between its last layer and {head!r}; expected one norm"
        raise InvalidComparison(msg)
    return Layout(base, path, len(layers), tuple(before), after[0], head)


def leaf_modules(layer: nn.Module) -> dict[str, nn.Module]:
    """The modules below a layer that have no children, by their path."""
    return {path: each for path, each in layer.named_modules() if path and next(each.children(), None) is None}


@contextmanager
def stopped_at(model: nn.Module, path: str) -> Iterator[None]:
    """Forward passes inside end where a module would be called."""

    def stop(*_: object) -> None:
        raise _Stopped

    handle = model.get_submodule(path).register_forward_pre_hook(stop, prepend=True)
    try:
        yield
    except _Stopped:
        pass
    finally:
        handle.remove()


def _layers_of(model: Any, who: str) -> tuple[str, nn.ModuleList]:
    import torch

    if not isinstance(model, torch.nn.Module):
        msg = f"{who} is {model!r:.80}; expected a torch.nn.Module, for example the fixture torch_model"
        raise TypeError(msg)
    config: Any = getattr(model, "config", None)
    depth = getattr(config.get_text_config(), "num_hidden_layers", None) if hasattr(config, "get_text_config") else None
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth
    ]
    if not found or not hasattr(model, "get_output_embeddings"):
        listed = ", ".join(name for name, _ in list(model.named_children())[:_SHOWN]) or "none"
        wanted = f"list of {counted(depth, 'layer')}" if depth else "configuration with num_hidden_layers"
        msg = f"{who} ({_name(model)}) has no {wanted}; its modules are {listed}; expected {SUPPORTED}"
        raise InvalidComparison(msg)
    return min(found, key=lambda each: each[0].count("."))


def _require_causal(model: Any, layer: nn.Module, who: str) -> None:
    is_encoder = any(getattr(module, "is_causal", True) is False for module in layer.modules())
    if is_encoder or getattr(model.config, "is_encoder_decoder", False):
        msg = f"{who} ({_name(model)}) has an encoder, whose tokens see later ones; expected {SUPPORTED}"
        raise InvalidComparison(msg)


def _path_of(model: nn.Module, module: Any) -> str | None:
    return next((name for name, each in model.named_modules() if each is module), None)


def _called_around(model: nn.Module, base: str, layers: str) -> tuple[list[str], list[str]]:
    """Modules beside the layers, called before the first and after the last of them."""
    import torch

    names: list[str] = []
    first, prefix = f"{layers}.0", f"{base}." if base else ""
    paths = [first, *(f"{prefix}{name}" for name, _ in model.get_submodule(base).named_children())]
    paths += [name for name, _ in model.named_children() if not prefix.startswith(f"{name}.") and name not in paths]
    handles = [
        model.get_submodule(path).register_forward_pre_hook(lambda *_, path=path: names.append(path), prepend=True)
        for path in paths
        if path != layers
    ]
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    at = names.index(first) if first in names else len(names)
    return list(dict.fromkeys(names[:at])), list(dict.fromkeys(names[at + 1 :]))


def _name(model: object) -> str:
    return type(model).__name__
