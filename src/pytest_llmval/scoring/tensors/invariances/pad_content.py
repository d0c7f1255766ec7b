"""Content of padding: ids under the mask have no say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.invariances.batch import Side, padded, refuse_padding
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import Scene, judge_scenes, scene_of
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of
from pytest_llmval.scoring.tensors.invariances.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_INVARIANCE = Invariance(
    "irrelevance of pad content",
    "the ids under the mask are read: the attention mask is ignored or too weak (a finite number in place of -inf), or "
    "something is computed over padding too, for example a dynamic activation scale or expert capacity",
)


def assert_pad_content_irrelevant(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    sides: Sequence[Side] = ("left", "right"),
    amount: int = 5,
    seed: int = 0,
    allow_noise: bool = False,
) -> InvarianceReport:
    """No bit of the logits changes when the ids of padding are replaced; the report of it.

    Padding on the right of a causal model is out of sight by the causal mask alone; on the left only the attention
    mask hides it.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: Texts, or lists or arrays of token ids; run as one batch.
        tokenizer: Reads the texts, and names tokens in the message.
        sides: Where padding stands.
        amount: Columns of padding beside the longest prompt, at least 1.
        seed: Of the token ids put in.
        allow_noise: Whether a model that does not repeat itself bit by bit may pass when logits change by at most 3
            times as much as between runs. By default that shows nothing.

    Raises:
        ModelRegression: If a position changes (for a model that does not repeat itself: by more than its noise).
        InvalidComparison: If the model does not repeat itself, or its logits do not depend on its tokens at all.
    """
    __tracebackhide__ = True
    refuse_padding(sides, [amount])
    known, subject = prompts_of(prompts, tokenizer), subject_of(model)
    scenes = {side: scene_of(_INVARIANCE, subject, known, padded(known.rows, side, amount), seed) for side in sides}
    changes = _replaced(scenes)
    return concluded(judge_scenes(_INVARIANCE, list(scenes.values()), changes, allow_noise=allow_noise))


def _replaced(scenes: dict[Side, Scene]) -> Iterator[tuple[str, list[Strip]]]:
    for side, scene in scenes.items():
        after = scene.replaced(~scene.batch.visible)
        yield f"with the padding on the {side} replaced", strips_of(after, scene.before)
