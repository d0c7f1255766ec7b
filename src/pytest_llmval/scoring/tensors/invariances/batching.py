"""Batching: a prompt gives alone what it gives in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.invariances.batch import Replacements, padded
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import scene_of
from pytest_llmval.scoring.tensors.invariances.shapes import Judging, Rewrites, judge_shapes, judged_subject
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.invariances.subject import Subject

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts

_INVARIANCE = Invariance(
    "batch invariance",
    "the result depends on the company a prompt keeps: rows are not isolated (see assert_row_isolation), padding is "
    "read (see assert_pad_invariant), or kernels change with the batch size by more than rounding",
)


def assert_batch_invariant(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    sizes: Sequence[int] = (2, 3, 8),
    seed: int = 0,
    **judging: Unpack[Judging],
) -> InvarianceReport:
    """A prompt gives the same logits alone and in a batch, up to rounding; the report of it.

    Each prompt is run alone, then among others of its own length, which needs no padding, and then with all prompts in
    one batch, padded on the left. Shapes change here, so that kernels may round otherwise: `level="bitwise"` is for
    backends that claim the same bits at every batch size.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: Texts, or lists or arrays of token ids.
        tokenizer: Reads the texts, and names tokens in the message.
        sizes: Batch sizes, each at least 2.
        seed: Of the token ids of the company.
        **judging: See `Judging`: `level`, `max_rel_l2`, `control`.

    Raises:
        ModelRegression: If a position's logits differ by more than allowed.
        InvalidComparison: If the model does not repeat itself to within that, or its logits do not depend on its
            tokens.
    """
    __tracebackhide__ = True
    if not sizes or min(sizes) < 2:  # noqa: PLR2004 - one row is no company
        msg = f"sizes={sizes!r}; expected batch sizes, at least one, each at least 2"
        raise ValueError(msg)
    known = prompts_of(prompts, tokenizer)
    subject, notes = judged_subject(model, judging)
    scene = scene_of(_INVARIANCE, subject, known, padded(known.rows), seed)
    rewrites = _in_company(known, scene.source, sizes)
    return concluded(judge_shapes(_INVARIANCE, scene, rewrites, judging, notes))


def alone(subject: Subject, prompts: Prompts) -> list[Values]:
    """Logits of each prompt in a batch of its own, without padding."""
    return [subject.logits(padded([row]))[0] for row in prompts.rows]


def _in_company(prompts: Prompts, source: Replacements, sizes: Sequence[int]) -> Rewrites:
    def rewrites(subject: Subject) -> Iterator[tuple[str, list[Strip]]]:
        before = alone(subject, prompts)
        for size in sizes:
            after = [_among(subject, row, source, size) for row in prompts.rows]
            yield f"alone and among {size - 1} of its length", strips_of(after, before)
        if len(prompts.rows) > 1:
            together = subject.logits(padded(prompts.rows))
            yield f"alone and in the batch of all {len(prompts.rows)} prompts", strips_of(together, before)

    return rewrites


def _among(subject: Subject, row: Sequence[int], source: Replacements, size: int) -> Values:
    """Logits of a prompt in the middle of a batch of other ids."""
    ids = np.tile(np.array(row), (size, 1))
    place = size // 2
    others = np.ones_like(ids, dtype=bool)
    others[place] = False
    return subject.logits(padded(source.into(ids, others).tolist()))[place]
