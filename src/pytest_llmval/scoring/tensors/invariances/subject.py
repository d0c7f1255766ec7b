"""The subject of a check: a model or function that turns a batch into logits."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.arrays import Values, values_of
from pytest_llmval.scoring.tensors.formats import format_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.scoring.tensors.invariances.batch import Batch
    from pytest_llmval.scoring.tensors.invariances.prompts import Ids

HALF_EPS = 1e-4  # formats with a wider spacing at 1 count as half precision


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is tested, called the same way whatever it is."""

    name: str
    forward: Callable[[Batch, Ids | None], Any]
    """Logits `[rows, columns, vocabulary]` of a batch; positions `[rows, columns]` where they are not the usual."""
    module: Any
    """The `torch.nn.Module`, None for a function."""

    def logits(self, batch: Batch, positions: Ids | None = None) -> list[Values]:
        """Logits of the tokens of each row in order, `[tokens, vocabulary]`; those of padding are dropped.

        Raises:
            ValueError: If what comes back is no array `[rows, columns, vocabulary]`.
        """
        output = self.forward(batch, positions)
        logits = logits_of(output)
        shape = tuple(getattr(logits, "shape", ()))
        if len(shape) != 3 or shape[:2] != batch.ids.shape:  # noqa: PLR2004 - rows, columns, vocabulary
            found = f"shape {shape}" if shape else f"a {type(output).__name__}"
            rows, columns = batch.ids.shape
            msg = f"{self.name} returned {found}; expected logits of shape ({rows}, {columns}, vocabulary)"
            raise ValueError(msg)
        return visible_parts(logits, batch)

    @property
    def is_half(self) -> bool:
        """Whether a module computes in a format of about three digits or fewer."""
        return self.module is not None and format_of(_parameter(self.module).dtype).eps > HALF_EPS


def subject_of(model: Any) -> Subject:
    """A module of torch or a function as a subject.

    Raises:
        ValueError: If the module is in training mode, or cannot be called with token ids and a mask.
        TypeError: If it is neither.
    """
    if _is_module(model):
        return Subject(type(model).__name__, _module_forward(model), model)
    if callable(model):
        return Subject(getattr(model, "__name__", type(model).__name__), _function_forward(model), None)
    msg = (
        f"model is a {type(model).__name__}; expected a torch.nn.Module, for example the fixture torch_model, or a "
        f"function f(input_ids, attention_mask) that returns logits"
    )
    raise TypeError(msg)


def in_float32(subject: Subject) -> Subject:
    """A copy of a module that computes in float32; the module stays as it is.

    Raises:
        ValueError: If it cannot be copied or converted, as quantised and sharded models cannot.
    """
    import copy

    try:
        return subject_of(copy.deepcopy(subject.module).float())
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        msg = (
            f"{subject.name} cannot be copied into float32, where this is judged by default ({error}); give control=, "
            f"a model of the same precision that is known to be right, or max_rel_l2="
        )
        raise ValueError(msg) from error


def accepts(module: Any, name: str) -> bool:
    """Whether a module's forward has an argument of this name; a wrapper is asked for what it wraps."""
    inner = module.get_base_model() if hasattr(module, "get_base_model") else module
    return name in inspect.signature(inner.forward).parameters


def device_of(module: Any) -> Any:
    """Where a module's first parameter lies, and with it the inputs."""
    return _parameter(module).device


def visible_parts(logits: Any, batch: Batch) -> list[Values]:
    """The rows of a tensor `[rows, columns, …]` without padding, each `[tokens, …]`."""
    return [values_of(row[where.nonzero()[0].tolist()]) for row, where in zip(logits, batch.visible, strict=True)]


def _is_module(model: Any) -> bool:
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _module_forward(model: Any) -> Callable[[Batch, Ids | None], Any]:
    import torch

    _refuse_training(model)
    _refuse_signature(model)
    takes_positions, takes_cache = accepts(model, "position_ids"), accepts(model, "use_cache")
    device = device_of(model)

    def forward(batch: Batch, positions: Ids | None) -> Any:
        options: dict[str, Any] = {"use_cache": False} if takes_cache else {}
        if takes_positions:
            places = batch.positions if positions is None else positions
            options["position_ids"] = torch.tensor(places, device=device)
        ids, mask = (torch.tensor(each, device=device) for each in (batch.ids, batch.mask))
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=mask, **options)

    return forward


def _function_forward(function: Callable[[Any, Any], Any]) -> Callable[[Batch, Ids | None], Any]:
    import torch

    def forward(batch: Batch, _positions: Ids | None) -> Any:
        with torch.no_grad():
            return function(torch.tensor(batch.ids), torch.tensor(batch.mask))

    return forward


def _refuse_training(model: Any) -> None:
    if model.training:
        msg = (
            f"{type(model).__name__} is in training mode, in which dropout and the like change the logits from run to "
            f"run; call model.eval() first"
        )
        raise ValueError(msg)


def _refuse_signature(model: Any) -> None:
    missing = [name for name in ("input_ids", "attention_mask") if not accepts(model, name)]
    if missing:
        msg = (
            f"{type(model).__name__}.forward has no {' and no '.join(missing)}; expected a causal language model as "
            f"transformers has them, or a function f(input_ids, attention_mask) that calls it"
        )
        raise ValueError(msg)


def _parameter(module: Any) -> Any:
    """The first floating-point parameter."""
    found = next((each for each in module.parameters() if each.is_floating_point()), None)
    if found is None:
        msg = f"{type(module).__name__} has no floating-point parameters; expected a language model with its weights"
        raise ValueError(msg)
    return found


def logits_of(output: Any) -> Any:
    """The logits in what a model returned."""
    if hasattr(output, "logits"):
        return output.logits
    return output[0] if isinstance(output, tuple) and output else output
