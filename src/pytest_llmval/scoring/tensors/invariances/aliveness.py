"""The positive control: a token that is visible must matter, else nothing that is compared means anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.invariances.batch import Replacements, replacements
from pytest_llmval.scoring.tensors.invariances.strips import Strip, part, variant_of

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.invariances.batch import Batch
    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts
    from pytest_llmval.scoring.tensors.invariances.report import Invariance
    from pytest_llmval.scoring.tensors.invariances.subject import Subject


def replacements_for(subject: Subject, prompts: Prompts, seed: int, width: int) -> Replacements:
    """Ordinary ids of the subject's vocabulary; of a function it is the `width` of its logits.

    Raises:
        ValueError: If a prompt has an id beyond the vocabulary.
    """
    size = _vocabulary(subject)
    _refuse_ids(prompts, size or width)
    return replacements(size or width, prompts.special, seed)


def refuse_ids(subject: Subject, prompts: Prompts) -> None:
    """Refuse ids that the model has no embedding for, before it is run.

    Raises:
        ValueError: If there is one.
    """
    _refuse_ids(prompts, _vocabulary(subject))


def require_alive(
    subject: Subject, batch: Batch, before: list[Values], source: Replacements, invariance: Invariance
) -> None:
    """Replace the last token of every row; its logits must change.

    Raises:
        InvalidComparison: If a row's do not.
    """
    after = subject.logits(batch.with_ids(source.into(batch.ids, batch.last_tokens())))
    for row, (ours, theirs) in enumerate(zip(after, before, strict=True)):
        last = len(theirs.numbers) - 1
        strip = Strip(row, last, part(ours, slice(last, None)), part(theirs, slice(last, None)))
        if not variant_of("", [strip], None).differing:
            msg = (
                f"{invariance.name} cannot be decided: the logits of row {row} at position {last} stay the same when "
                f"that very token is replaced, so the model does not read what it is given, or its logits are not "
                f"those returned"
            )
            raise InvalidComparison(msg)


def _refuse_ids(prompts: Prompts, size: int | None) -> None:
    for place, row in enumerate(prompts.rows):
        wrong = [token for token in row if token < 0 or (size is not None and token >= size)]
        if wrong:
            known = "negative" if size is None else f"outside the vocabulary of {size} (ids 0 to {size - 1})"
            msg = f"prompt {place}: token id {wrong[0]} is {known}; does the tokenizer belong to the model?"
            raise ValueError(msg)


def _vocabulary(subject: Subject) -> int | None:
    """Rows of a module's input embedding; None for a function."""
    embedding = getattr(subject.module, "get_input_embeddings", lambda: None)()
    return getattr(embedding, "num_embeddings", None)
