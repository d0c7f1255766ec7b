"""The built-in prompts: token ids of any vocabulary, so that no text and no tokenizer is needed."""

from __future__ import annotations

import math
import random
from typing import Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.invariances.prompts import prompts_of
from pytest_llmval.scoring.tensors.invariances.shifting import context_of

_LENGTHS = (5, 17, 33, 48)  # 103 tokens; ragged, and on both sides of a multiple of 16 and 32
_FEWEST_TOKENS = 100
_FEWEST_IDS = 2
_ROLES = ("bos", "eos", "pad", "unk", "sep", "cls", "mask")


def built_in_prompts(model: Any, tokenizer: Any = None, seed: int = 0) -> tuple[tuple[int, ...], ...]:
    """Rows of ordinary token ids, drawn evenly: at least 100 in all, the same for the same seed.

    Args:
        model: Says how many rows its embedding has, and how long its context is.
        tokenizer: Says which ids are special, and which it has at all; without it the model's config says.
        seed: Of the draw.

    Raises:
        InvalidComparison: If fewer than two ids are left.
    """
    allowed = _ordinary_ids(model, tokenizer)
    draw = random.Random(seed)  # noqa: S311 - makes prompts, not secrets
    return tuple(tuple(draw.choices(allowed, k=length)) for length in _lengths(context_of(model)))


def prompts_for(given: Any, model: Any, tokenizer: Any = None, seed: int = 0) -> tuple[tuple[int, ...], ...]:
    """Token ids of the prompts that a suite gives, else the built-in ones."""
    return built_in_prompts(model, tokenizer, seed) if given is None else prompts_of(given, tokenizer).rows


def _lengths(context: int | None) -> list[int]:
    """No longer than half the context, so that positions can be shifted and doubled within it."""
    longest = max(_LENGTHS) if context is None else min(max(_LENGTHS), context // 2)
    scaled = [max(2, length * longest // max(_LENGTHS)) for length in _LENGTHS]
    return scaled * math.ceil(_FEWEST_TOKENS / sum(scaled))


def _ordinary_ids(model: Any, tokenizer: Any) -> list[int]:
    rows = int(model.get_input_embeddings().weight.shape[0])
    size = rows if tokenizer is None else min(rows, len(tokenizer))
    special = {*_stated(model), *(getattr(tokenizer, "added_tokens_decoder", None) or ())}
    ids = [number for number in range(size) if number not in special]
    if len(ids) < _FEWEST_IDS:
        msg = f"a vocabulary of {size} leaves {len(ids)} ordinary ids; expected at least {_FEWEST_IDS} for prompts"
        raise InvalidComparison(msg)
    return ids


def _stated(model: Any) -> set[int]:
    """Special ids in the model's configs."""
    sides = (getattr(model, "config", None), getattr(model, "generation_config", None))
    found = [getattr(side, f"{role}_token_id", None) for side in sides for role in _ROLES]
    return {number for each in found for number in (each if isinstance(each, list) else [each]) if number is not None}
