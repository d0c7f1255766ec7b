"""The scene of a same-shape check: a batch, its logits, how well they repeat, and proof that tokens matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.invariances.aliveness import refuse_ids, replacements_for, require_alive
from pytest_llmval.scoring.tensors.invariances.judging import noise_bar, report_of, rerun_noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.invariances.batch import Batch, Replacements
    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts
    from pytest_llmval.scoring.tensors.invariances.report import Invariance, InvarianceReport
    from pytest_llmval.scoring.tensors.invariances.strips import Strip
    from pytest_llmval.scoring.tensors.invariances.subject import Subject
    from pytest_llmval.scoring.tensors.pairs import Flags


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One batch before anything in it is replaced."""

    subject: Subject
    prompts: Prompts
    batch: Batch
    before: list[Values]
    """Logits of each row, `[tokens, vocabulary]`."""
    source: Replacements
    noise: float
    """Largest relative L2 error of a position between two runs; 0 when the model repeats itself bit by bit."""

    def replaced(self, where: Flags) -> list[Values]:
        """Logits with the ids at `where`, `[rows, columns]`, replaced by others."""
        return self.subject.logits(self.batch.with_ids(self.source.into(self.batch.ids, where)))


def scene_of(invariance: Invariance, subject: Subject, prompts: Prompts, batch: Batch, seed: int) -> Scene:
    """A batch, run three times: twice as it is and once with the last token of every row replaced.

    Raises:
        InvalidComparison: If that replacement changes nothing.
        ValueError: If a prompt has an id beyond the vocabulary.
    """
    refuse_ids(subject, prompts)
    before = subject.logits(batch)
    source = replacements_for(subject, prompts, seed, before[0].shape[-1])
    require_alive(subject, batch, before, source, invariance)
    return Scene(subject, prompts, batch, before, source, rerun_noise(subject, batch, before))


def judge_scenes(
    invariance: Invariance,
    scenes: Sequence[Scene],
    changes: Iterable[tuple[str, Iterable[Strip]]],
    *,
    allow_noise: bool,
) -> InvarianceReport:
    """Changes that keep the shape: bit by bit where the model repeats itself, else by its noise."""
    bar = noise_bar(max(scene.noise for scene in scenes), allow_noise=allow_noise)
    notes = (f"judged {bar}",) if allow_noise and bar.limit is not None else ()
    return report_of(invariance, scenes[0].prompts, bar, changes, notes)
