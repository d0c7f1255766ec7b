"""Trio: reference, candidate and control, ready to run stage by stage on one batch of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.formats import format_of
from pytest_llmval.scoring.tensors.layers.layout import layout_of, leaf_modules
from pytest_llmval.scoring.tensors.layers.staged import CastCopy, StagedModel

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from pytest_llmval.scoring.tensors.layers.judging import LayerLimits
    from pytest_llmval.scoring.tensors.layers.prompts import Batch

_ROUNDINGS = 16  # relative error, in spacings at 1, of a reordered sum; injected bugs lie far above


@dataclass(frozen=True, slots=True, eq=False)
class Trio:
    """Three models of one layout on one batch."""

    reference: StagedModel
    candidate: StagedModel
    control: StagedModel
    source: nn.Module
    """The reference as it was given, whole and in its own precision."""
    batch: Batch
    limits: LayerLimits

    @property
    def spacing(self) -> float:
        """Relative error that is always allowed.

        A few ULP where the control rounds no more than the reference does; half an ULP of the precision in which the
        reference's weights are known, where the candidate's is finer; else none, as the control says it all.
        """
        known = format_of(self.known_dtype).eps
        reference, candidate, control = (format_of(each.dtype).eps for each in self.all)
        if known > candidate:
            return known / 2
        return 0.0 if control > reference else _ROUNDINGS * max(candidate, reference)

    @property
    def known_dtype(self) -> torch.dtype:
        """The dtype of the reference's weights as they were given."""
        return next(each.dtype for each in self.source.parameters() if each.is_floating_point())

    @property
    def all(self) -> tuple[StagedModel, StagedModel, StagedModel]:
        """Reference, candidate, control."""
        return self.reference, self.candidate, self.control

    def texts(self, states: Tensor) -> list[Tensor]:
        """The tokens of each prompt without padding, `[tokens, channels]`, from `[rows or 1, length, channels]`."""
        rows = range(len(self.batch.rows))
        return [
            states[row if len(states) > 1 else 0, start:] for row, start in zip(rows, self.batch.starts(), strict=True)
        ]


def trio_of(candidate: Any, reference: Any, control: Any, batch: Batch, limits: LayerLimits) -> Trio:
    """The models in stages; without a control, the reference's weights run by the candidate's kernels.

    The control then has the coarser precision of the two: a reference whose weights were rounded can be matched no
    better than that.

    A reference in half precision runs in float32, a layer at a time.

    Raises:
        TypeError: If a model is no torch module.
        ValueError: If a model is in training mode, or its weights are on the meta device.
        InvalidComparison: If their stages do not correspond.
    """
    candidate, reference, control = (getattr(each, "_orig_mod", each) for each in (candidate, reference, control))
    ours, theirs = _staged(candidate, "the candidate"), _staged(reference, "the reference")
    _require_same_shape(ours, theirs, "candidate")
    if control is None:
        coarser = max(ours.dtype, theirs.dtype, key=lambda dtype: format_of(dtype).eps)
        bar: StagedModel = _cast(theirs, coarser, ours.attention)
    else:
        bar = _staged(control, "the control")
        _require_same_shape(bar, theirs, "control")
    return Trio(_precise(theirs), ours, bar, reference, batch, limits)


def _staged(model: Any, who: str) -> StagedModel:
    parameters = list(model.parameters()) if hasattr(model, "parameters") else []
    if any(each.is_meta for each in parameters):
        msg = f"{who} has weights on the meta device, which hold no numbers; load them first"
        raise ValueError(msg)
    if getattr(model, "training", False):
        msg = f"{who} is in training mode, where dropout makes every run another; call model.eval() first"
        raise ValueError(msg)
    return StagedModel(model, layout_of(model, who))


def _precise(model: StagedModel) -> StagedModel:
    import torch

    if format_of(model.dtype).eps <= format_of(torch.float32).eps:
        return model
    return _cast(model, torch.float32, model.attention)


def _cast(model: StagedModel, dtype: Any, attention: str) -> StagedModel:
    if (model.dtype, model.attention) == (dtype, attention):
        return model
    return CastCopy(model.model, model.layout, dtype, attention)


def _require_same_shape(model: StagedModel, reference: StagedModel, who: str) -> None:
    """Depth, width and vocabulary, before anything runs."""
    for what, ours, theirs in zip(
        ("layers", "hidden size", "vocabulary"), _sizes(model), _sizes(reference), strict=True
    ):
        if ours != theirs:
            msg = (
                f"reference and {who} differ in {what}: {theirs} -> {ours}; layers of different networks do not "
                "correspond"
            )
            raise InvalidComparison(msg)
    _require_shared_modules(model, reference, who)


def _require_shared_modules(model: StagedModel, reference: StagedModel, who: str) -> None:
    """Layers that have no module in common are those of two architectures."""
    ours, theirs = (leaf_modules(each.layer(0)) for each in (model, reference))
    if (ours or theirs) and ours.keys().isdisjoint(theirs):
        msg = (
            f"layers of reference and {who} consist of other modules: {', '.join(theirs)} -> {', '.join(ours)}; "
            "layers of different architectures do not correspond"
        )
        raise InvalidComparison(msg)


def _sizes(model: StagedModel) -> tuple[int, int, int]:
    config, head = model.config, model.model.get_submodule(model.layout.head)
    return model.layout.depth, int(config.hidden_size), int(getattr(head, "out_features", config.vocab_size))
