"""Within a layer: each module on the reference's input, and the code between modules on the reference's outputs."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmval.scoring.tensors.layers.calls import hidden_of
from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.layout import leaf_modules
from pytest_llmval.scoring.tensors.layers.outputs import compare_states, states_of
from pytest_llmval.scoring.tensors.layers.weight_hint import weight_hint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn

    from pytest_llmval.scoring.tensors.layers.staged import StagedModel
    from pytest_llmval.scoring.tensors.layers.trio import Trio
    from pytest_llmval.scoring.tensors.layers.walk import LayerCalls


Key = tuple[str, int]
"""Path of a module below its layer, and how many calls of it came before."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A call of a module without children, as it happened in a run of its layer."""

    path: str
    """Below the layer."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


def inspect_layer(
    trio: Trio, index: int, given: Tensor, calls: LayerCalls, layers: list[nn.Module]
) -> Iterator[StageFinding]:
    """The parts of a layer that are not as they should be, in the order in which they are called.

    The reference runs once, and its modules' arguments and results are noted. Candidate and control then run with
    every module given the reference's arguments, and everything after it the reference's result. So each module is
    judged by itself, and what arrives at it shows the layer's own code before it by itself. What the control does is
    judged while it runs, and let go with what it was judged by, so that its values never pile up.

    Args:
        trio: The models.
        index: Of the layer.
        given: The reference's input of the layer.
        calls: Of the layer.
        layers: The layer of reference, candidate and control.
    """
    with _recorded(layers[0]) as known:
        truth = calls.reference.run(layers[0], given)
    ours = Kept()
    with _forced(layers[1], known, trio.candidate, ours):
        result = calls.forced.run(layers[1], trio.candidate.own(given))
    beside = _Layer(trio, index, layers, known, ours)
    with _forced(layers[2], known, trio.control, beside):
        bar = calls.forced_control.run(layers[2], trio.control.own(given))
    return beside.all(truth, result, bar)


class Watch(Protocol):
    """Sees what happens in a layer whose modules are given the reference's arguments and return its results."""

    def arrives(self, key: Key, values: list[Any]) -> None:
        """What the layer's own code gives to a module."""

    def makes(self, key: Key, output: Any) -> None:
        """What a module makes of the reference's arguments."""


class Kept:
    """Everything that a run shows."""

    def __init__(self) -> None:
        self.arriving: dict[Key, list[Any]] = {}
        self.outputs: dict[Key, Any] = {}

    def arrives(self, key: Key, values: list[Any]) -> None:
        """Keep it."""
        self.arriving[key] = values

    def makes(self, key: Key, output: Any) -> None:
        """Keep it."""
        self.outputs[key] = output


class _Layer:
    """A layer of the candidate beside the reference's, judged as the control's runs."""

    def __init__(self, trio: Trio, index: int, layers: list[nn.Module], known: dict[Key, Part], ours: Kept) -> None:
        self._trio, self._layers, self._known, self._ours = trio, layers, known, ours
        layout = trio.candidate.layout
        self._name = layout.short(layout.layer(index))
        self._named: set[str] = set()
        self._found: list[StageFinding] = []

    def arrives(self, key: Key, values: list[Any]) -> None:
        """The code that leads to a module."""
        part, ours = self._known.get(key), self._ours.arriving.pop(key, None)
        truth = states_of([*part.args, *part.kwargs.values()], self._trio) if part else None
        if part is not None and truth is not None and ours is not None:
            parent, _, child = part.path.rpartition(".")
            name = f"{self._name}.{parent}" if parent else self._name
            self._found += self._own_code(name, truth, (ours, values), f"its modules agree: wrong before {child}", part)

    def makes(self, key: Key, output: Any) -> None:
        """A module on the reference's arguments; nothing of it is needed any more."""
        part = self._known.pop(key, None)
        if part is not None:
            self._found += self._module(part, key, output)

    def all(self, truth: Tensor, ours: Tensor, theirs: Tensor) -> Iterator[StageFinding]:
        """What was found, with the code after the last module, and modules that the control has not come to."""
        yield from self._found
        for part in self._known.values():
            yield StageFinding(f"{self._name}.{part.path}", StageVerdict.NOT_COMPARED, "the control does not call it")
        yield from self._own_code(self._name, truth, (ours, theirs), "its modules agree: wrong at its end")

    def _module(self, part: Part, key: Key, output: Any) -> Iterator[StageFinding]:
        name, truth = f"{self._name}.{part.path}", states_of(part.output, self._trio)
        if key not in self._ours.outputs:
            yield StageFinding(name, StageVerdict.NOT_COMPARED, "the candidate does not call it")
        elif truth is not None:
            found = self._compared(name, truth, (self._ours.outputs.pop(key), output), part)
            if found is not None and found.verdict is StageVerdict.CULPRIT:
                theirs, ours = (layer.get_submodule(part.path) for layer in self._layers[:2])
                found = replace(found, hint=weight_hint(ours, theirs, self._head_size(part.path, truth)))
            yield from filter(None, [found])

    def _own_code(
        self, name: str, truth: Tensor, both: Iterable[Any], hint: str, part: Part | None = None
    ) -> Iterator[StageFinding]:
        """Code of one module is named once, where it first goes wrong."""
        found = self._compared(name, truth, both, part)
        if found is not None and name not in self._named:
            self._named.update([name] if found.verdict is StageVerdict.CULPRIT else [])
            yield replace(found, hint=hint) if found.verdict is StageVerdict.CULPRIT else found

    def _compared(self, name: str, truth: Tensor, both: Iterable[Any], part: Part | None) -> StageFinding | None:
        """None where candidate and control agree bit for bit, or the stage is sound."""
        ours, theirs = (states_of(each, self._trio) for each in both)
        if ours is None or theirs is None:
            return StageFinding(name, StageVerdict.NOT_COMPARED, "its values have other axes than the reference's")
        if _are_equal(ours, theirs):
            return None
        heads = self._head_size(part.path, truth) if part else None
        found = compare_states(self._trio, name, truth, ours, theirs, heads=heads)
        return None if found.verdict is StageVerdict.OK else found

    def _head_size(self, path: str, states: Tensor) -> int | None:
        """Channels of a head, for modules of the attention whose channels are heads."""
        config = self._trio.reference.config
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        owner, _, name = path.rpartition(".")
        is_heads = "attn" in owner and name.startswith(("q", "k", "v", "o"))
        return int(size) if is_heads and states.shape[-1] % size == 0 else None


def _are_equal(ours: Tensor, theirs: Tensor) -> bool:
    import torch

    return ours.dtype == theirs.dtype and ours.device == theirs.device and torch.equal(ours, theirs)


@contextmanager
def _recorded(layer: nn.Module) -> Iterator[dict[Key, Part]]:
    """While this holds, calls of the modules without children are noted."""
    parts: dict[Key, Part] = {}
    counts: Counter[str] = Counter()

    def note(path: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        parts[path, counts[path]] = Part(path, args, kwargs, output)
        counts[path] += 1

    handles = [
        module.register_forward_hook(
            lambda _, args, kwargs, output, path=path: note(path, args, kwargs, output), with_kwargs=True
        )
        for path, module in leaf_modules(layer).items()
    ]
    try:
        yield parts
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _forced(layer: nn.Module, known: dict[Key, Part], model: StagedModel, watch: Watch) -> Iterator[None]:
    """While this holds, modules are given what the reference's are and seem to return what the reference's do."""
    given: Counter[str] = Counter()
    taken: Counter[str] = Counter()

    def give(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
        key = path, given[path]
        given[path] += 1
        watch.arrives(key, [*args, *kwargs.values()])
        part = known.get(key)
        return None if part is None else (model.own(part.args), model.own(part.kwargs))

    def take(path: str, output: Any) -> Any:
        key = path, taken[path]
        taken[path] += 1
        part = known.get(key)
        watch.makes(key, output)
        return model.own(part.output) if part and _fits(part.output, output) else output

    handles = []
    for path, module in leaf_modules(layer).items():
        # First of all hooks, so that a hook of the model's own that changes arguments still does.
        handles += [
            module.register_forward_pre_hook(
                lambda _, args, kwargs, path=path: give(path, args, kwargs), prepend=True, with_kwargs=True
            ),
            module.register_forward_hook(lambda _m, _i, output, path=path: take(path, output)),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fits(output: Any, own: Any) -> bool:
    return getattr(hidden_of(output), "shape", None) == getattr(hidden_of(own), "shape", None)
