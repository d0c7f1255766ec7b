"""Profile of a model: what a sound one may or may not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_llmval.scoring.tensors.invariances.shifting import is_rotary
from pytest_llmval.scoring.tensors.invariances.subject import accepts
from pytest_llmval.scoring.tokens.capabilities import Profile


@dataclass(frozen=True, slots=True)
class ModelProfile(Profile):
    """Capabilities of a causal language model of transformers; what one lacks is not tested."""

    takes_position_ids: bool | None = None
    """Positions can be given, as left padding and packing need."""
    has_rotary_positions: bool | None = None
    """Attention sees distances only, so that all positions may be shifted."""
    keeps_key_value_cache: bool | None = None
    """A prompt can be read in pieces."""
    gives_loss: bool | None = None
    """It computes its loss from labels."""


def probe_model(model: Any) -> ModelProfile:
    """The capabilities of a model, each with what shows it."""
    name = type(model).__name__
    arguments = {each: accepts(model, each) for each in ("position_ids", "past_key_values", "labels")}
    forward = {each: f"{name}.forward {'takes' if has else 'has no'} {each}" for each, has in arguments.items()}
    rotary = is_rotary(model)
    return ModelProfile(
        examples={
            "takes_position_ids": forward["position_ids"],
            "has_rotary_positions": f"{name} has {'' if rotary else 'no '}rotary position embeddings",
            "keeps_key_value_cache": forward["past_key_values"],
            "gives_loss": forward["labels"],
        },
        takes_position_ids=arguments["position_ids"],
        has_rotary_positions=rotary,
        keeps_key_value_cache=arguments["past_key_values"],
        gives_loss=arguments["labels"],
    )
