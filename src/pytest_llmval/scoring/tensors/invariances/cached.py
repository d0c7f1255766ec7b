"""Cached runs: a batch read in pieces, each added to a key-value cache."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.invariances.batch import Batch
from pytest_llmval.scoring.tensors.invariances.subject import Subject, accepts, device_of, logits_of, visible_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.invariances.batch import Replacements

Schedule = tuple[int, ...]
"""Tokens read at each step, over and over: `(1,)` is one by one, `(1, 2, 3, 7)` repeats these four."""

SCHEDULES: tuple[Schedule, ...] = ((1,), (2,), (3,), (7,), (1, 2, 3, 7))


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A batch after all its columns were read."""

    logits: list[Values]
    """Of the tokens of each row, `[tokens, vocabulary]`."""
    cache: Any


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """Wrong tokens that are read ahead of every step and taken back, as a rejected draft is."""

    tokens: int
    source: Replacements


def read(subject: Subject, batch: Batch, schedule: Schedule | None = None, rollback: Rollback | None = None) -> Reading:
    """The batch read in pieces; without a schedule in one.

    Raises:
        InvalidComparison: If the cache does not take back what was read ahead.
    """
    import torch

    ids, mask, positions = (torch.tensor(each, device=device_of(subject.module)) for each in _inputs(batch))
    cache = new_cache(subject.module)
    if rollback is not None:
        cache.activate_past_recording()
    pieces = []
    for start, stop in steps(batch, schedule):
        if rollback is not None and start:
            _read_ahead(subject.module, batch, start, rollback, cache)
        pieces.append(_step(subject.module, ids[:, start:stop], mask[:, :stop], positions[:, start:stop], cache))
        if rollback is not None:
            cache.crop(0)  # what a sliding window no longer sees
    return Reading(visible_parts(torch.cat(pieces, dim=1), batch), cache)


def new_cache(module: Any) -> Any:
    """An empty cache of the kind a model needs."""
    from transformers import DynamicCache

    return DynamicCache(config=module.config)


def require_cache(subject: Subject, check: str) -> None:
    """Refuse what keeps no key-value cache.

    Raises:
        ValueError: If the subject is a function, or a module without `past_key_values`.
    """
    if subject.module is None:
        msg = f"{check} needs the key-value cache, and {subject.name} is a function; expected a model of transformers"
        raise ValueError(msg)
    if not (accepts(subject.module, "past_key_values") and hasattr(subject.module, "config")):
        msg = f"{check} needs a key-value cache, and {subject.name} has none (forward takes no past_key_values)"
        raise ValueError(msg)


def refuse_schedules(schedules: Sequence[Schedule]) -> None:
    """Refuse schedules that cannot be meant.

    Raises:
        ValueError: If there is none, or a step reads no token.
    """
    if not len(schedules) or not all(len(each) and min(each) >= 1 for each in schedules):
        msg = f"schedules={schedules!r}; expected tuples of numbers of tokens, each at least 1, as in ((1,), (2, 3))"
        raise ValueError(msg)


def named(schedule: Schedule) -> str:
    """A schedule as it reads in a message."""
    return ", ".join(map(str, schedule))


def steps(batch: Batch, schedule: Schedule | None) -> Iterator[tuple[int, int]]:
    """First column and the one after the last of each step.

    Columns of padding that all rows have are read with the first and the last step.
    """
    columns = np.flatnonzero(batch.visible.any(axis=0))
    width, start, at = batch.ids.shape[1], 0, int(columns[0])
    if schedule is None:
        yield 0, width
        return
    for length in itertools.cycle(schedule):
        at = at + length if at + length <= columns[-1] else width
        yield start, at
        if at == width:
            return
        start = at


def _read_ahead(module: Any, batch: Batch, start: int, rollback: Rollback, cache: Any) -> None:
    """Read other tokens than those that follow, and take them back."""
    import torch

    ahead = slice(start, min(start + rollback.tokens, batch.ids.shape[1]))
    wrong = Batch(rollback.source.into(batch.ids, batch.visible), batch.mask)
    ids, mask, positions = (torch.tensor(each, device=device_of(module)) for each in _inputs(wrong))
    _step(module, ids[:, ahead], mask[:, : ahead.stop], positions[:, ahead], cache)
    cache.crop(ahead.start - ahead.stop)


def _inputs(batch: Batch) -> tuple[Any, Any, Any]:
    return batch.ids, batch.mask, batch.positions


def _step(module: Any, ids: Any, mask: Any, positions: Any, cache: Any) -> torch.Tensor:
    import torch

    options = {"position_ids": positions} if accepts(module, "position_ids") else {}
    with torch.no_grad():
        output = module(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
    found: torch.Tensor = logits_of(output)
    return found
