"""Shifting: models with rotary positions see distances only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of, require_length
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import Scene, scene_of
from pytest_llmval.scoring.tensors.invariances.shapes import Judging, Rewrites, judge_shapes, judged_subject
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of, variant_of
from pytest_llmval.scoring.tensors.invariances.subject import accepts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.invariances.batch import Batch
    from pytest_llmval.scoring.tensors.invariances.subject import Subject

_INVARIANCE = Invariance(
    "position shift invariance",
    "positions act by more than their distance: keys and queries are rotated by different positions or scales, "
    "rotary tables are computed in low precision or end too early, or an absolute position is added somewhere",
)
_ROTARY_SETTINGS = ("rope_parameters", "rope_scaling", "rope_theta", "rotary_dim", "rotary_pct", "rotary_emb_base")
_CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def assert_position_shift_invariant(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    shifts: Sequence[int] = (1, 7, 64),
    seed: int = 0,
    **judging: Unpack[Judging],
) -> InvarianceReport:
    """A prompt gives the same logits when all its positions are shifted, up to rounding; the report of it.

    Holds for rotary position embeddings, which see distances only. A model with other positions is refused.

    Args:
        model: A causal language model of transformers in evaluation mode that takes `position_ids`.
        prompts: Texts, or lists or arrays of token ids, of at least two tokens; run as one batch, padded on the left.
        tokenizer: Reads the texts, and names tokens in the message.
        shifts: Positions added, each at least 1; the last shifted position must lie within the model's context.
        seed: Of the token ids of the positive control.
        **judging: See `Judging`: `level`, `max_rel_l2`, `control`.

    Raises:
        ModelRegression: If a position's logits differ by more than allowed.
        InvalidComparison: If the model does not read `position_ids` at all, does not repeat itself, or its logits do
            not depend on its tokens.
        ValueError: If the model has no rotary positions, or a shift leaves its context.
    """
    __tracebackhide__ = True
    known = prompts_of(prompts, tokenizer)
    require_length(known, 2, "positions act by the distance of two tokens")
    subject, notes = judged_subject(model, judging)
    _refuse_other_positions(subject)
    _refuse_shifts(subject, shifts, max(map(len, known.rows)))
    scene = scene_of(_INVARIANCE, subject, known, padded(known.rows), seed)
    _require_positions_read(scene)
    rewrites = _shifted(scene.batch, shifts)
    return concluded(judge_shapes(_INVARIANCE, scene, rewrites, judging, notes))


def _shifted(batch: Batch, shifts: Sequence[int]) -> Rewrites:
    def rewrites(subject: Subject) -> Iterator[tuple[str, list[Strip]]]:
        before = subject.logits(batch)
        for shift in shifts:
            yield (
                f"with all positions {shift} higher",
                strips_of(subject.logits(batch, batch.positions + shift), before),
            )

    return rewrites


def _require_positions_read(scene: Scene) -> None:
    """The positive control: positions twice as far apart must be noticed."""
    stretched = scene.subject.logits(scene.batch, 2 * scene.batch.positions)
    if not variant_of("", strips_of(stretched, scene.before), None).differing:
        msg = (
            f"{_INVARIANCE.name} cannot be decided: the logits stay the same when positions are doubled, so "
            f"{scene.subject.name} does not read position_ids"
        )
        raise InvalidComparison(msg)


def _refuse_other_positions(subject: Subject) -> None:
    if subject.module is None or not accepts(subject.module, "position_ids"):
        msg = f"{subject.name} takes no position_ids; expected a causal language model of transformers that does"
        raise ValueError(msg)
    if not is_rotary(subject.module):
        msg = (
            f"{subject.name} has no rotary position embedding; only models that have one see nothing but distances, so "
            f"this check does not apply"
        )
        raise ValueError(msg)


def is_rotary(module: Any) -> bool:
    """Whether a model has rotary position embeddings, by its config or its modules."""
    config = getattr(module, "config", None)
    by_setting = any(getattr(config, name, None) is not None for name in _ROTARY_SETTINGS)
    return by_setting or any("Rotary" in type(each).__name__ for each in module.modules())


def context_of(module: Any) -> int | None:
    """Positions that a model is made for; None where its config does not say."""
    config = getattr(module, "config", None)
    return next(filter(None, (getattr(config, name, None) for name in _CONTEXT_NAMES)), None)


def _refuse_shifts(subject: Subject, shifts: Sequence[int], longest: int) -> None:
    context = context_of(subject.module)
    most = None if context is None else context - longest
    if not shifts or min(shifts) < 1 or (most is not None and max(shifts) > most):
        upto = "" if most is None else f" and at most {most} (context of {context}, longest prompt {longest})"
        msg = f"shifts={shifts!r}; expected numbers of positions, at least one, each at least 1{upto}"
        raise ValueError(msg)
