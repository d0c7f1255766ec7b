"""Causality: a position does not see the tokens after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of, require_length
from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.scene import Scene, judge_scenes, scene_of
from pytest_llmval.scoring.tensors.invariances.strips import Strip, part
from pytest_llmval.scoring.tensors.invariances.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_INVARIANCE = Invariance(
    "causality",
    "a position sees tokens after it: the causal mask is missing, shifted or too weak (a finite number in place of "
    "-inf), or something is computed over all tokens, for example a dynamic activation scale; if assert_row_isolation "
    "fails too, begin there",
)
_MOST_CUTS = 8


def assert_causal(
    model: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    cuts: Sequence[int] | None = None,
    seed: int = 0,
    allow_noise: bool = False,
) -> InvarianceReport:
    """No bit of the logits up to a position changes when all tokens after it are replaced; the report of it.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: Texts, or lists or arrays of token ids, of at least two tokens; run as one batch, padded on the
            right, so that a row's columns are its positions.
        tokenizer: Reads the texts, and names tokens in the message.
        cuts: Positions after which everything is replaced; by default 8 from the first to the last but one of the
            longest prompt. Prompts that end before a cut are not compared there.
        seed: Of the token ids put in.
        allow_noise: Whether a model that does not repeat itself bit by bit may pass when positions change by at most
            3 times as much as between runs. By default that shows nothing.

    Raises:
        ModelRegression: If a position changes (for a model that does not repeat itself: by more than its noise).
        InvalidComparison: If the model does not repeat itself, or its logits do not depend on its tokens at all.
    """
    __tracebackhide__ = True
    known = prompts_of(prompts, tokenizer)
    require_length(known, 2, "one is kept while those after it are replaced")
    longest = max(map(len, known.rows))
    chosen = _cuts(longest) if cuts is None else _checked(cuts, longest)
    scene = scene_of(_INVARIANCE, subject_of(model), known, padded(known.rows, "right"), seed)
    return concluded(judge_scenes(_INVARIANCE, [scene], _replaced(scene, chosen), allow_noise=allow_noise))


def _replaced(scene: Scene, cuts: Sequence[int]) -> Iterator[tuple[str, list[Strip]]]:
    lengths = [len(row.numbers) for row in scene.before]
    for cut in cuts:
        after = scene.replaced(scene.batch.visible & (scene.batch.positions > cut))
        upto = slice(cut + 1)
        yield (
            f"with the tokens after position {cut} replaced",
            [
                Strip(row, 0, part(after[row], upto), part(scene.before[row], upto))
                for row, length in enumerate(lengths)
                if length > cut + 1
            ],
        )


def _cuts(longest: int) -> list[int]:
    """Positions from the first to the last but one, evenly."""
    return sorted(set(np.linspace(0, longest - 2, min(_MOST_CUTS, longest - 1)).astype(int).tolist()))


def _checked(cuts: Sequence[int], longest: int) -> list[int]:
    if not len(cuts) or not all(0 <= cut <= longest - 2 for cut in cuts):
        msg = f"cuts={cuts!r}; expected positions from 0 to {longest - 2}, the last but one of the longest prompt"
        raise ValueError(msg)
    return sorted(set(map(int, cuts)))
