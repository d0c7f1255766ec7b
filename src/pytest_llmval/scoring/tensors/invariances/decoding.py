"""Decoding: read step by step with a cache, a prompt gives what it gives in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.invariances.batch import Batch, Side, padded, refuse_padding
from pytest_llmval.scoring.tensors.invariances.cached import (
    SCHEDULES,
    Rollback,
    Schedule,
    named,
    new_cache,
    read,
    refuse_schedules,
    require_cache,
)
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of, require_length
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import Scene, scene_of
from pytest_llmval.scoring.tensors.invariances.shapes import Judging, Rewrites, judge_shapes, judged_subject
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.tensors.invariances.subject import Subject

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts

_INVARIANCE = Invariance(
    "equality of decoding and prefill",
    "the cache does not hold what a single pass computes: a slot is stale or overwritten, positions are counted "
    "wrongly when the cache is not empty, or the mask over cached columns is wrong; assert_kv_consistent "
    "names layer and head",
)
_ROLLBACK = (1, 3)


def assert_decode_matches_prefill(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    schedules: Sequence[Schedule] = SCHEDULES,
    rollback: Sequence[int] | None = None,
    sides: Sequence[Side] = ("left", "right"),
    amounts: Sequence[int] = (0, 33),
    seed: int = 0,
    **judging: Unpack[Judging],
) -> InvarianceReport:
    """Every step of decoding gives the logits of one pass over the same token ids, up to rounding; the report of it.

    Both sides read the same batch of ids, so that nothing is tokenised again and padding cancels out (which is
    `assert_pad_invariant`'s affair); the reference reads it in one pass without a cache.

    Args:
        model: A causal language model of transformers in evaluation mode that takes `past_key_values`.
        prompts: Texts, or lists or arrays of token ids, of at least two tokens.
        tokenizer: Reads the texts, and names tokens in the message.
        schedules: Tokens a step, over and over; see `Schedule`.
        rollback: How many wrong tokens are read ahead of every step and then cropped from the cache, as rejected
            drafts are; each with every schedule, in the first padding. By default 1 and 3 where the cache can be
            cropped; `()` for none.
        sides: Where padding stands.
        amounts: Columns of padding beside the longest prompt, each at least 0; `PAD_AMOUNTS` for those around 32.
        seed: Of the wrong tokens, and of the token ids of the positive control.
        **judging: See `Judging`: `level`, `max_rel_l2`, `control`.

    Raises:
        ModelRegression: If a step's logits differ by more than allowed.
        InvalidComparison: If the model does not repeat itself to within that, its logits do not depend on its tokens,
            or its cache cannot be cropped although `rollback` asks for it.
        ValueError: If the model keeps no key-value cache.
    """
    __tracebackhide__ = True
    refuse_padding(sides, amounts, least=0)
    refuse_schedules(schedules)
    known = prompts_of(prompts, tokenizer)
    require_length(known, 2, "the first is read before the second")
    subject, notes = judged_subject(model, judging)
    require_cache(subject, _INVARIANCE.name)
    crops, unrolled = _rollbacks(subject, rollback)
    scene = scene_of(_INVARIANCE, subject, known, padded(known.rows), seed)
    rewrites = _decoded(scene, _paddings(known, sides, amounts), schedules, crops)
    return concluded(judge_shapes(_INVARIANCE, scene, rewrites, judging, notes + unrolled))


def _decoded(scene: Scene, batches: dict[str, Batch], schedules: Sequence[Schedule], crops: Sequence[int]) -> Rewrites:
    def rewrites(subject: Subject) -> Iterator[tuple[str, list[Strip]]]:
        for place, (padding, batch) in enumerate(batches.items()):
            before = subject.logits(batch)
            for schedule in schedules:
                name = f"in steps of {named(schedule)}{padding}"
                yield name, strips_of(read(subject, batch, schedule).logits, before)
                for tokens in () if place else crops:
                    after = read(subject, batch, schedule, Rollback(tokens, scene.source))
                    yield f"{name}, {tokens} read ahead and taken back", strips_of(after.logits, before)

    return rewrites


def _paddings(prompts: Prompts, sides: Sequence[Side], amounts: Sequence[int]) -> dict[str, Batch]:
    """Batches by the words for their padding; sides are the same where there is nothing to pad."""
    ragged = len(set(map(len, prompts.rows))) > 1
    return {
        f", padding of {amount} on the {side}" if ragged or amount else "": padded(prompts.rows, side, amount)
        for side in sides
        for amount in amounts
    }


def _rollbacks(subject: Subject, rollback: Sequence[int] | None) -> tuple[Sequence[int], tuple[str, ...]]:
    """Tokens to take back, and a note where the cache cannot."""
    if rollback is not None and (isinstance(rollback, int) or any(tokens < 1 for tokens in rollback)):
        msg = f"rollback={rollback!r}; expected numbers of tokens in a tuple, each at least 1, or () for none"
        raise ValueError(msg)
    croppable = all(getattr(layer, "is_croppable", True) for layer in new_cache(subject.module).layers)
    if croppable or rollback == ():
        return _ROLLBACK if rollback is None else rollback, ()
    reason = f"the cache of {subject.name} cannot be cropped"
    if rollback is not None:
        msg = f"{_INVARIANCE.name} after a rollback cannot be decided: {reason}; rollback=() leaves it out"
        raise InvalidComparison(msg)
    return (), (f"nothing was rolled back: {reason}",)
