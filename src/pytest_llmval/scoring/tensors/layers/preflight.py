"""Pre-flight: whether a model run stage by stage is the model itself, repeatable, and passes on what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.layers.staged import CastCopy, StagedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from pytest_llmval.scoring.tensors.layers.prompts import Batch
    from pytest_llmval.scoring.tensors.layers.staged import Prologue
    from pytest_llmval.scoring.tensors.layers.trio import Trio

_PROMPTS = 2
_NUDGE = 1.5  # a factor that no rounding hides


def preflight(trio: Trio) -> tuple[str, ...]:
    """Reasons why the comparison would say nothing; none when all is well. Two short prompts are run for it."""
    batch = trio.batch.shortest(_PROMPTS)
    source = StagedModel(trio.source, trio.reference.layout)
    models = [(trio.candidate, "the candidate"), (source, "the reference")]
    if not isinstance(trio.control, CastCopy) and trio.control.model is not trio.source:
        models.append((trio.control, "the control"))
    return tuple(problem for model, who in models for problem in _problems(model, batch, who))


def _problems(model: StagedModel, batch: Batch, who: str) -> Iterator[str]:
    own, again = _own_logits(model, batch), _own_logits(model, batch)
    if not _same(own, again, batch):
        yield f"{who} gives other logits in a second run on the same prompts: make it deterministic first"
        return
    last, dead = _chained(model, model.prologue(batch))
    staged = model.logits(model.norm(last))
    if not _same(own, staged, batch):
        yield (
            f"{who} run layer by layer gives other logits than run as a whole: it does something between or beside "
            "its layers that is not seen"
        )
        return
    for name in dead:
        yield f"{name} of {who} gives the same whatever it is given: it is skipped, or its input is not used"


def _own_logits(model: StagedModel, batch: Batch) -> Tensor:
    logits: Tensor = model.model(**batch.inputs(model.device), use_cache=False).logits
    return logits


def _chained(model: StagedModel, prologue: Prologue) -> tuple[Tensor, list[str]]:
    """The hidden state after the last layer, and the layers whose result is the same whatever comes in.

    A fault before such a layer would not be seen behind it.
    """
    import torch

    state, dead = prologue.hidden, []
    for index, call in enumerate(prologue.calls):
        layer = model.layer(index)
        given, state = state, call.run(layer, state)
        if torch.equal(call.run(layer, given * _NUDGE), state):
            dead.append(model.layout.short(model.layout.layer(index)))
    return state, dead


def _same(first: Tensor, second: Tensor, batch: Batch) -> bool:
    """Whether logits agree bit for bit where there are tokens; NaN at the same places counts as agreement."""
    return all(
        bool(((one[start:] == other[start:]) | (one[start:].isnan() & other[start:].isnan())).all())
        for one, other, start in zip(first, second, batch.starts(), strict=True)
    )
