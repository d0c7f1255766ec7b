"""Padding: columns of it change nothing, on either side and of any number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.invariances.batch import PAD_AMOUNTS, Side, padded, refuse_padding
from pytest_llmval.scoring.tensors.invariances.batching import alone
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import scene_of
from pytest_llmval.scoring.tensors.invariances.shapes import Judging, Rewrites, judge_shapes, judged_subject
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.tensors.invariances.subject import Subject

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts

_INVARIANCE = Invariance(
    "padding invariance",
    "padding is attended to (the mask is ignored, too weak, or wrong at this length), or positions are counted over "
    "padding; on the left both show, on the right only what is computed over all columns",
)


def assert_pad_invariant(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    sides: Sequence[Side] = ("left", "right"),
    amounts: Sequence[int] = PAD_AMOUNTS,
    block: int = 32,
    seed: int = 0,
    **judging: Unpack[Judging],
) -> InvarianceReport:
    """A prompt gives the same logits without and with padding, up to rounding; the report of it.

    Every prompt is padded alone, in a batch of one row, and then in one batch with all prompts. A module that takes
    `position_ids` is given those of the tokens, as `generate` does; a function has to see to that itself.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: Texts, or lists or arrays of token ids.
        tokenizer: Reads the texts, and names tokens in the message.
        sides: Where padding stands.
        amounts: Columns of padding beside the longest prompt, each at least 1.
        block: Rows are also padded to a multiple of so many columns, and to one more, where masks were wrong before.
        seed: Of the token ids of the positive control.
        **judging: See `Judging`: `level`, `max_rel_l2`, `control`.

    Raises:
        ModelRegression: If a position's logits differ by more than allowed.
        InvalidComparison: If the model does not repeat itself to within that, or its logits do not depend on its
            tokens.
    """
    __tracebackhide__ = True
    refuse_padding(sides, amounts)
    if block < 1:
        msg = f"block={block!r}; expected a number of columns of at least 1"
        raise ValueError(msg)
    known = prompts_of(prompts, tokenizer)
    subject, notes = judged_subject(model, judging)
    scene = scene_of(_INVARIANCE, subject, known, padded(known.rows), seed)
    rewrites = _padded(known, sides, list(dict.fromkeys([*amounts, *_amounts_to_block(known, block)])))
    return concluded(judge_shapes(_INVARIANCE, scene, rewrites, judging, notes))


def _padded(prompts: Prompts, sides: Sequence[Side], amounts: Sequence[int]) -> Rewrites:
    def rewrites(subject: Subject) -> Iterator[tuple[str, list[Strip]]]:
        before = alone(subject, prompts)
        for side in sides:
            for amount in amounts:
                name = f"with padding of {amount} on the {side}"
                single = [subject.logits(padded([row], side, amount))[0] for row in prompts.rows]
                yield f"{name}, in a batch of one", strips_of(single, before)
                if len(prompts.rows) > 1:
                    together = subject.logits(padded(prompts.rows, side, amount))
                    yield f"{name}, in a batch of {len(prompts.rows)}", strips_of(together, before)

    return rewrites


def _amounts_to_block(prompts: Prompts, block: int) -> list[int]:
    """Columns beside the longest prompt up to the next multiple of a block, and one more."""
    longest = max(map(len, prompts.rows))
    upto = block - longest % block
    return [upto, upto + 1]
