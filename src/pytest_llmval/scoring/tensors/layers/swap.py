"""Swaps: how much of the divergence goes away when the reference does one stage in the candidate's place."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax
from pytest_llmval.scoring.tensors.layers.calls import Call, as_like, call_of, hidden_of
from pytest_llmval.scoring.tensors.layers.layout import stopped_at
from pytest_llmval.scoring.tensors.layers.staged import StagedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn

    from pytest_llmval.scoring.tensors.layers.prompts import Batch
    from pytest_llmval.scoring.tensors.layers.sums import Floats
    from pytest_llmval.scoring.tensors.layers.trio import Trio

_POSITIONS_AT_ONCE = 32  # logits are wide


def recovered_kl(trio: Trio, names: Iterable[str]) -> dict[str, float]:
    """Of each stage: KL(reference ‖ candidate) less the same with the reference in its place, mean in nats.

    Below 0 the swap makes it worse: the stage makes up for another one. Masks are no module, and left out.
    """
    source = StagedModel(trio.source, trio.reference.layout)
    known = [name for name in names if _has(trio.candidate, name) and _has(source, name)]
    with _calls_kept(source, known) as calls:
        exact = _normed(source, trio.batch)
    whole, recovered = _mean_kl(trio, source, exact), {}
    for name in known:
        with _swapped(trio.candidate, source, name, calls[name]):
            recovered[name] = _fallen(whole, _mean_kl(trio, source, exact))
    return recovered


def _fallen(before: float, after: float) -> float:
    """By how much the divergence falls; by infinitely much where it was no number and is one now."""
    if math.isnan(before):
        return 0.0 if math.isnan(after) else math.inf
    return before - after


def _has(model: StagedModel, name: str) -> bool:
    return model.layout.whole(name) in dict(model.model.named_modules())


def _module(model: StagedModel, name: str) -> nn.Module:
    return model.model.get_submodule(model.layout.whole(name))


def _mean_kl(trio: Trio, source: StagedModel, exact: Tensor) -> float:
    """KL(reference ‖ candidate) as the candidate is now, a few positions at a time; in nats."""
    total, own = 0.0, _normed(trio.candidate, trio.batch)
    for texts in zip(*map(trio.texts, (exact, own)), strict=True):
        for truth, ours in zip(*(each.split(_POSITIONS_AT_ONCE) for each in texts), strict=True):
            divergences = kl_divergence(_log_probabilities(source, truth), _log_probabilities(trio.candidate, ours))
            total += float(divergences.sum())
    return total / trio.batch.positions


def _normed(model: StagedModel, batch: Batch) -> Tensor:
    """What the final norm makes of the whole batch at once: a fault may depend on the other prompts."""
    kept: list[Tensor] = []
    norm = model.model.get_submodule(model.layout.norm)
    handle = norm.register_forward_hook(lambda _m, _i, output: kept.append(hidden_of(output)))
    try:
        with stopped_at(model.model, model.layout.head):
            model.model(**batch.inputs(model.device), use_cache=False)
    finally:
        handle.remove()
    return kept[0]


def _log_probabilities(model: StagedModel, normed: Tensor) -> Floats:
    return log_softmax(np.asarray(model.logits(normed[None])[0].cpu().double().numpy()))


@contextmanager
def _calls_kept(model: StagedModel, names: Iterable[str]) -> Iterator[dict[str, list[Call]]]:
    """While this holds, what modules are given besides the hidden state is noted, call by call."""
    calls: dict[str, list[Call]] = {name: [] for name in names}

    def keep(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls[name].append(call_of(module, args, kwargs)[1])

    handles = [
        _module(model, name).register_forward_pre_hook(
            lambda module, args, kwargs, name=name: keep(name, module, args, kwargs), with_kwargs=True
        )
        for name in calls
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _swapped(candidate: StagedModel, source: StagedModel, name: str, calls: list[Call]) -> Iterator[None]:
    """While this holds, a module of the candidate returns what the reference's makes of the same hidden state.

    Masks and tables are the reference's own: another kernel takes masks of another form, and what is wrong with them
    may be the fault.
    """
    theirs = _module(source, name)
    last = calls[-1] if calls else Call({})  # the head was not called
    remaining = iter(calls)

    def answer(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        hidden, _ = call_of(module, args, kwargs)
        call = next(remaining, last)
        return as_like(theirs(source.own(hidden), **call.values), output)

    handle = _module(candidate, name).register_forward_hook(answer, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
