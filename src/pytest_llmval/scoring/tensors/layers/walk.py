"""The walk: all three models go through the network side by side, one stage at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.judging import is_amplifier, judged, split_of, with_parts
from pytest_llmval.scoring.tensors.layers.mask_stage import Masks
from pytest_llmval.scoring.tensors.layers.outputs import compare_outputs
from pytest_llmval.scoring.tensors.layers.submodules import inspect_layer
from pytest_llmval.scoring.tensors.layers.sums import ErrorSums, KlSums, SplitSums, States, in_float64
from pytest_llmval.scoring.tensors.layers.tables import compare_tables
from pytest_llmval.scoring.tensors.layers.weight_hint import weight_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_llmval.scoring.tensors.layers.calls import Call
    from pytest_llmval.scoring.tensors.layers.layout import Layout
    from pytest_llmval.scoring.tensors.layers.staged import Prologue, StagedModel
    from pytest_llmval.scoring.tensors.layers.trio import Trio

_FEW_POSITIONS = 32  # a product with fewer would take as long


@dataclass(slots=True, eq=False)
class Hidden:
    """The hidden states of the three models between two stages, `[rows, length, hidden]`."""

    reference: Tensor
    candidate: Tensor
    control: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LayerCalls:
    """How each model calls one of its layers, and how the reference's values are put into the others' calls."""

    reference: Call
    candidate: Call
    control: Call
    forced: Call
    """The candidate's, with the reference's tables and mask."""
    forced_control: Call


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walk found."""

    stages: tuple[StageFinding, ...]
    kl: KlSums


def walked(trio: Trio) -> Walked:
    """Each stage of the network in order, judged as soon as all three models have passed it."""
    prologues = [model.prologue(trio.batch) for model in trio.all]
    masks = Masks(trio)
    stages = [_embedding(trio, prologues), *compare_tables(trio, prologues), *masks.compared(prologues)]
    hidden = Hidden(*(each.hidden for each in prologues))
    calls = list(zip(*(each.calls for each in prologues), strict=True))
    del prologues  # else the embeddings stay in memory all the way
    for index, own in enumerate(calls):
        # Made anew for each layer: tables in another dtype are copies, and would pile up.
        found, hidden = _layer(trio, index, _layer_calls(trio, own, masks), hidden)
        stages.append(found)
    found, hidden = _norm(trio, hidden)
    head, kl = _head(trio, hidden)
    return Walked((*stages, found, head), kl)


def _embedding(trio: Trio, prologues: list[Prologue]) -> StageFinding:
    sums = ErrorSums(trio.spacing)
    split = SplitSums()
    layout = trio.candidate.layout
    for row, (truth, ours, theirs) in enumerate(zip(*(trio.texts(each.hidden) for each in prologues), strict=True)):
        sums.add(row, truth, ours, theirs, truth)
        split.add(States(truth, truth, truth, ours, ours, theirs))
    name = layout.short(layout.before[0]) if layout.before else "embedding"
    found = replace(judged(name, sums, trio.limits), split=split_of(split))
    if len(layout.before) > 1:
        parts = compare_outputs(trio, *(each.outputs for each in prologues))
        found = with_parts(found, (part for part in parts if part.name != name))
    return _hinted(trio, found, lambda each: each.before[0]) if layout.before else found


def _layer(trio: Trio, index: int, calls: LayerCalls, before: Hidden) -> tuple[StageFinding, Hidden]:
    modules = [model.layer(index) for model in trio.all]
    truth = calls.reference.run(modules[0], before.reference)
    forced = calls.forced.run(modules[1], trio.candidate.own(before.reference))
    bar = calls.forced_control.run(modules[2], trio.control.own(before.reference))
    after = Hidden(
        truth, calls.candidate.run(modules[1], before.candidate), calls.control.run(modules[2], before.control)
    )
    name = trio.candidate.layout.short(trio.candidate.layout.layer(index))
    found = _judged_step(trio, name, before, after, (forced, bar), residual=True)
    if found.signature is not None and not found.signature.is_none:
        found = with_parts(found, inspect_layer(trio, index, before.reference, calls, modules))
    return found, after


def _norm(trio: Trio, before: Hidden) -> tuple[StageFinding, Hidden]:
    after = Hidden(
        trio.reference.norm(before.reference),
        trio.candidate.norm(before.candidate),
        trio.control.norm(before.control),
    )
    forced, bar = (model.norm(model.own(before.reference)) for model in (trio.candidate, trio.control))
    layout = trio.candidate.layout
    found = _judged_step(trio, layout.short(layout.norm), before, after, (forced, bar), residual=False)
    return _hinted(trio, found, lambda each: each.norm), after


def _judged_step(
    trio: Trio, name: str, before: Hidden, after: Hidden, forced: tuple[Tensor, Tensor], *, residual: bool
) -> StageFinding:
    """A stage from the states before and after it, and what candidate and control make of the reference's input."""
    sums, split = ErrorSums(trio.spacing), SplitSums()
    states = [before.reference, after.reference, before.candidate, after.candidate, forced[0], after.control, forced[1]]
    for row, texts in enumerate(zip(*map(trio.texts, states), strict=True)):
        given, truth, own_input, free, ours, control, bar = map(in_float64, texts)
        sums.add(row, truth, ours, bar, truth - given if residual else truth)
        split.add(States(given, truth, own_input, free, ours, control))
    found = replace(judged(name, sums, trio.limits), split=split_of(split))
    if found.verdict is StageVerdict.OK and is_amplifier(split, trio.limits):
        problem = f"enlarges an incoming error {split.amplification:.3g} times"
        return replace(found, verdict=StageVerdict.AMPLIFIER, problem=problem)
    return found


def _head(trio: Trio, hidden: Hidden) -> tuple[StageFinding, KlSums]:
    """The logits, a few positions at a time, each position's mean taken off: a shift of all logits says nothing."""
    sums, split, kl = ErrorSums(trio.spacing), SplitSums(), KlSums()
    layout = trio.candidate.layout
    states = (hidden.reference, hidden.candidate, hidden.control)
    # Logits are wide, and kept of so many positions that they take half of what the hidden states do.
    at_once = max(hidden.reference.numel() // (2 * trio.reference.config.vocab_size), _FEW_POSITIONS)
    for row, texts in enumerate(zip(*map(trio.texts, states), strict=True)):
        for pieces in zip(*(each.split(at_once) for each in texts), strict=True):
            _add_logits(trio, row, pieces, (sums, split, kl))
    found = replace(judged(layout.short(layout.head), sums, trio.limits), split=split_of(split))
    return _hinted(trio, found, lambda each: each.head), kl


def _hinted(trio: Trio, found: StageFinding, path: Callable[[Layout], str]) -> StageFinding:
    """A stage that is one module, with what its weights say when it is at fault."""
    if found.verdict is not StageVerdict.CULPRIT or found.parts:
        return found
    ours = trio.candidate.model.get_submodule(path(trio.candidate.layout))
    theirs = trio.source.get_submodule(path(trio.reference.layout))
    return replace(found, hint=weight_hint(ours, theirs))


def _add_logits(trio: Trio, row: int, normed: tuple[Tensor, ...], into: tuple[ErrorSums, SplitSums, KlSums]) -> None:
    exact, own, other = normed
    truth = _logits(trio.reference, exact)
    forced, bar = (_logits(model, model.own(exact)) for model in (trio.candidate, trio.control))
    free, control = _logits(trio.candidate, own), _logits(trio.control, other)
    sums, split, kl = into
    sums.add(row, truth, forced, bar, truth)
    split.add(States(exact, truth, own, free, forced, control))
    kl.add(truth, free, control)


def _logits(model: StagedModel, normed: Tensor) -> Tensor:
    logits = in_float64(model.logits(normed[None])[0])
    mean = logits.mean(-1, keepdim=True)
    if not mean.isfinite().all():  # one NaN would be all
        finite = logits.isfinite()
        mean = logits.where(finite, 0.0).sum(-1, keepdim=True) / finite.sum(-1, keepdim=True).clamp(min=1)
    return logits - mean


def _layer_calls(trio: Trio, own: tuple[Call, ...], masks: Masks) -> LayerCalls:
    reference, candidate, control = own
    return LayerCalls(
        reference,
        candidate,
        control,
        candidate.forced(reference, masks.forced(trio.candidate, candidate.mask, reference.mask)),
        control.forced(reference, masks.forced(trio.control, control.mask, reference.mask)),
    )
