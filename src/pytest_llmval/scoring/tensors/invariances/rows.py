"""Rows: what one row of a batch gives does not depend on the others, nor on its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of, require_several
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import Scene, judge_scenes, scene_of
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of
from pytest_llmval.scoring.tensors.invariances.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_ISOLATION = Invariance(
    "row isolation",
    "something is computed across the batch, for example a dynamic activation scale, a batch mean, expert capacity "
    "shared by all rows, or a cache slot of another request",
)
_PERMUTATION = Invariance(
    "row permutation equivariance",
    "a row's result depends on its place in the batch: something is computed across the batch, rows are mixed up when "
    "a batch is put together, or a kernel treats rows differently",
)


def assert_row_isolation(
    model: Any, prompts: Any, *, tokenizer: Any = None, seed: int = 0, allow_noise: bool = False
) -> InvarianceReport:
    """No bit of a row's logits changes when the tokens of all other rows are replaced; the report of it.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: At least two different ones: texts, or lists or arrays of token ids; run as one batch, padded on the
            left.
        tokenizer: Reads the texts, and names tokens in the message.
        seed: Of the token ids put in.
        allow_noise: Whether a model that does not repeat itself bit by bit may pass when rows change by at most 3
            times as much as between runs. By default that shows nothing.

    Raises:
        ModelRegression: If a row changes (for a model that does not repeat itself: by more than its noise).
        InvalidComparison: If the model does not repeat itself, or its logits do not depend on its tokens at all.
    """
    __tracebackhide__ = True
    known = prompts_of(prompts, tokenizer)
    require_several(known, "one is kept while the others are replaced")
    scene = scene_of(_ISOLATION, subject_of(model), known, padded(known.rows), seed)
    return concluded(judge_scenes(_ISOLATION, [scene], _isolated(scene), allow_noise=allow_noise))


def assert_row_permutation_equivariant(
    model: Any, prompts: Any, *, tokenizer: Any = None, seed: int = 0, allow_noise: bool = False
) -> InvarianceReport:
    """No bit of a row's logits changes when the rows come in another order; the report of it.

    The orders are the reverse, the rotation by one and a random one. Arguments and errors are those of
    `assert_row_isolation`.
    """
    __tracebackhide__ = True
    known = prompts_of(prompts, tokenizer)
    require_several(known, "rows that are equal can change places unnoticed")
    scene = scene_of(_PERMUTATION, subject_of(model), known, padded(known.rows), seed)
    changes = _reordered(scene, seed)
    return concluded(judge_scenes(_PERMUTATION, [scene], changes, allow_noise=allow_noise))


def _isolated(scene: Scene) -> Iterator[tuple[str, list[Strip]]]:
    for row in range(len(scene.before)):
        where = scene.batch.visible.copy()
        where[row] = False
        yield f"with the other rows of row {row} replaced", strips_of(scene.replaced(where), scene.before, [row])


def _reordered(scene: Scene, seed: int) -> Iterator[tuple[str, list[Strip]]]:
    for order in _orders(len(scene.before), seed):
        after = scene.subject.logits(scene.batch.in_order(order))
        back = [after[order.index(row)] for row in range(len(order))]
        yield f"with the rows in the order {', '.join(map(str, order))}", strips_of(back, scene.before)


def _orders(count: int, seed: int) -> list[list[int]]:
    rows = list(range(count))
    shuffled = np.random.default_rng(seed).permutation(count).tolist()
    candidates = [rows[::-1], rows[1:] + rows[:1], shuffled]
    return [list(order) for order in dict.fromkeys(map(tuple, candidates)) if list(order) != rows]
