"""Ways to put a bug into a torch module, each taken out again bit for bit."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.mutation import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from pytest_llmval.scoring.mutation import Inject


def changed_weight(path: str, change: Callable[[Tensor], Tensor], name: str = "weight") -> Inject:
    """The bug of one weight: `change` takes a copy `[outputs, inputs]` in float32 and returns what it becomes."""

    @contextmanager
    def inject(model: nn.Module) -> Iterator[None]:
        module = model.get_submodule(path)
        weight = getattr(module, name)
        original = weight.data
        # GPT-2's Conv1D keeps its weight the other way round.
        turn = type(module).__name__ == "Conv1D"
        copied = original.detach().float().clone()
        changed = change(copied.T.contiguous()).T.contiguous() if turn else change(copied)
        weight.data = changed.to(original.dtype)
        try:
            yield
        finally:
            weight.data = original

    return inject


def hooked(path: str, register: Callable[[Any, Any], Any]) -> Inject:
    """The bug of a hook: `register` takes the model and the module, and returns the handle."""

    @contextmanager
    def inject(model: nn.Module) -> Iterator[None]:
        handle = register(model, model.get_submodule(path))
        try:
            yield
        finally:
            handle.remove()

    return inject


def changed_attribute(path: str, name: str, change: Callable[[Any], Any]) -> Inject:
    """The bug of a setting that a module keeps, for example its epsilon; the path of the model itself is empty."""
    return replaced(name, change, lambda model: model.get_submodule(path))
