"""Determinism: the same batch gives the same bits, run after run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.invariances.aliveness import refuse_ids, replacements_for, require_alive
from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.judging import report_of
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of
from pytest_llmval.scoring.tensors.invariances.report import Bar, Invariance, InvarianceReport, concluded
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of
from pytest_llmval.scoring.tensors.invariances.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.arrays import Values

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.invariances.batch import Batch
    from pytest_llmval.scoring.tensors.invariances.subject import Subject

_INVARIANCE = Invariance(
    "determinism",
    "dropout is on in a part of the model, a kernel adds in no fixed order (atomics, split-k), state is kept from "
    "run to run, or memory is read before it is written (NaN)",
)


def assert_deterministic(
    model: Any, prompts: Any, *, tokenizer: Any = None, n: int = 3, seed: int = 0
) -> InvarianceReport:
    """The logits of one batch have the same bits in `n` runs; the report of it.

    There is no tolerance, and NaN is never equal to NaN: logits that are NaN fail also when they are NaN every time.

    Args:
        model: A causal language model of transformers in evaluation mode, or a function
            `f(input_ids, attention_mask)` of torch tensors `[rows, columns]` that returns logits
            `[rows, columns, vocabulary]`.
        prompts: Texts, or lists or arrays of token ids; run as one batch, padded on the left.
        tokenizer: Reads the texts, and names tokens in the message.
        n: Runs, at least 2.
        seed: Of the token ids of the positive control.

    Raises:
        ModelRegression: If a bit differs; the message names the first position.
        InvalidComparison: If the logits stay the same when a token is replaced.
    """
    __tracebackhide__ = True
    if n < 2:  # noqa: PLR2004 - nothing to compare with
        msg = f"n={n!r}; expected a number of runs of at least 2"
        raise ValueError(msg)
    known = prompts_of(prompts, tokenizer)
    subject, batch = subject_of(model), padded(known.rows)
    refuse_ids(subject, known)
    before = subject.logits(batch)
    source = replacements_for(subject, known, seed, before[0].shape[-1])
    require_alive(subject, batch, before, source, _INVARIANCE)
    return concluded(report_of(_INVARIANCE, known, Bar(), _reruns(subject, batch, before, n)))


def _reruns(subject: Subject, batch: Batch, before: list[Values], n: int) -> Iterator[tuple[str, list[Strip]]]:
    for run in range(2, n + 1):
        yield f"in run {run} of {n}", strips_of(subject.logits(batch), before)
