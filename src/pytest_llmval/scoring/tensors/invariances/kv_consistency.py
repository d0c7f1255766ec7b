"""Consistency of a key-value cache: decoding fills it with what one pass does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.arrays import Values, values_of
from pytest_llmval.scoring.tensors.invariances.batch import Batch, Side, padded, refuse_padding
from pytest_llmval.scoring.tensors.invariances.cached import (
    SCHEDULES,
    Schedule,
    named,
    read,
    refuse_schedules,
    require_cache,
)
from pytest_llmval.scoring.tensors.invariances.kv_layers import KvLayer, kv_layers
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of, require_length
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import scene_of
from pytest_llmval.scoring.tensors.invariances.shapes import Judging, Rewrites, judge_shapes, judged_subject
from pytest_llmval.scoring.tensors.invariances.strips import Strip, part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from pytest_llmval.scoring.tensors.invariances.subject import Subject

_INVARIANCE = Invariance(
    "consistency of the key-value cache",
    "the layer named first is where it begins: in its keys only, positions are rotated otherwise in decoding; in keys "
    "and values of one slot, the slot is stale or was overwritten; in everything from a layer on, the attention of the "
    "layer before it differs",
)


def assert_kv_consistent(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    schedules: Sequence[Schedule] = SCHEDULES,
    side: Side = "left",
    amount: int = 0,
    seed: int = 0,
    **judging: Unpack[Judging],
) -> InvarianceReport:
    """Keys and values of every layer, head and position do not depend on the steps they were read in; the report of it.

    Keys are cached with their position rotated in, hence the same comparison shows that positions do not depend on the
    steps. Of a sliding window the slots are compared that it still holds.

    Args:
        model: A causal language model of transformers in evaluation mode that takes `past_key_values`.
        prompts: Texts, or lists or arrays of token ids, of at least two tokens; run as one batch.
        tokenizer: Reads the texts, and names tokens in the message.
        schedules: Tokens a step, over and over; see `Schedule`. Each is compared with reading all in one step.
        side: Where padding stands.
        amount: Columns of padding beside the longest prompt, at least 0.
        seed: Of the token ids of the positive control.
        **judging: See `Judging`: `level`, `max_rel_l2`, `control`; a position's vector here is one of keys or values.

    Raises:
        ModelRegression: If a vector differs by more than allowed; the message names layer, head and position.
        InvalidComparison: If the model does not repeat itself to within that, its logits do not depend on its tokens,
            or its cache holds no keys and values.
        ValueError: If the model keeps no key-value cache.
    """
    __tracebackhide__ = True
    refuse_padding([side], [amount], least=0)
    refuse_schedules(schedules)
    known = prompts_of(prompts, tokenizer)
    require_length(known, 2, "the first is read before the second")
    subject, notes = judged_subject(model, judging)
    require_cache(subject, _INVARIANCE.name)
    scene = scene_of(_INVARIANCE, subject, known, padded(known.rows, side, amount), seed)
    rewrites = _filled(scene.batch, schedules)
    return concluded(judge_shapes(_INVARIANCE, scene, rewrites, judging, notes))


def _filled(batch: Batch, schedules: Sequence[Schedule]) -> Rewrites:
    def rewrites(subject: Subject) -> Iterator[tuple[str, list[Strip]]]:
        before = _layers(subject, batch, None)
        for schedule in schedules:
            after = _layers(subject, batch, schedule)
            yield f"in steps of {named(schedule)}", _strips(after, before, batch)

    return rewrites


def _layers(subject: Subject, batch: Batch, schedule: Schedule | None) -> list[KvLayer]:
    layers = kv_layers(read(subject, batch, schedule).cache)
    if not layers:
        msg = f"{_INVARIANCE.name} cannot be decided: the cache of {subject.name} holds no keys and values"
        raise InvalidComparison(msg)
    return layers


def _strips(after: Sequence[KvLayer], before: Sequence[KvLayer], batch: Batch) -> list[Strip]:
    return [
        strip
        for ours, theirs in zip(after, before, strict=True)
        for (kind, actual), (_, expected) in zip(ours.tensors, theirs.tensors, strict=True)
        for strip in _strips_of_tensor(f"layer {ours.number} {kind}", actual, expected, batch)
    ]


def _strips_of_tensor(name: str, actual: Any, expected: Any, batch: Batch) -> Iterator[Strip]:
    """One strip a row and head, of the tokens that are in the cache on both sides."""
    if tuple(actual.shape) != tuple(expected.shape):
        msg = (
            f"{_INVARIANCE.name} fails: {name} have shape {tuple(expected.shape)} after one pass -> "
            f"{tuple(actual.shape)} after steps, so slots were lost or added"
        )
        raise ModelRegression(msg)
    ours, theirs = values_of(actual, name), values_of(expected, name)
    held = batch.visible[:, -ours.shape[2] :]
    for row, flags in enumerate(held):
        slots = np.flatnonzero(flags)
        if len(slots):
            first = int(batch.positions[row, -ours.shape[2] :][slots[0]])
            for head in range(ours.shape[1]):
                where = f"{name}, head {head}"
                yield Strip(row, first, _slots(ours, row, head, slots), _slots(theirs, row, head, slots), where)


def _slots(values: Values, row: int, head: int, slots: Any) -> Values:
    return part(Values(values.numbers[row, head], values.bits[row, head], values.dtype, values.device), slots)
