"""Prompts: texts or token ids, as one row of ids each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.arrays import is_array, values_of

Ids = npt.NDArray[np.int64]

_PROMPTS = "texts, or one list of token ids a prompt"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Token ids of each prompt, and the tokenizer that names them."""

    rows: tuple[tuple[int, ...], ...]
    tokenizer: Any = None

    def text(self, token: int) -> str:
        """A token id as it reads in a message: its text where there is a tokenizer, else its number."""
        return f"token {token}" if self.tokenizer is None else f"token {self.tokenizer.decode([token])!r}"

    def place(self, row: int, position: int) -> str:
        """A position as it reads in a message: `position 3 (token ' the')`."""
        return f"position {position} ({self.text(self.rows[row][position])})"

    @property
    def special(self) -> frozenset[int]:
        """Ids with a meaning of their own, never drawn as a replacement."""
        return frozenset(getattr(self.tokenizer, "all_special_ids", None) or ())


def prompts_of(given: Any, tokenizer: Any = None) -> Prompts:
    """Prompts in any form a test has them: texts, lists or arrays of token ids, or one of these alone.

    Raises:
        ValueError: If there is no prompt, one has no tokens, or texts come without a tokenizer.
        TypeError: If something is neither a text nor token ids.
    """
    rows = tuple(_row(each, place, tokenizer) for place, each in enumerate(_listed(given)))
    if not rows:
        msg = f"prompts is empty; expected {_PROMPTS}, at least one"
        raise ValueError(msg)
    for place, row in enumerate(rows):
        if not row:
            msg = f"prompt {place} has no tokens; expected at least one a prompt"
            raise ValueError(msg)
    return Prompts(rows, tokenizer)


def require_length(prompts: Prompts, least: int, why: str) -> None:
    """Refuse prompts that are too short to show anything.

    Raises:
        ValueError: If one has fewer tokens than `least`.
    """
    for place, row in enumerate(prompts.rows):
        if len(row) < least:
            msg = f"prompt {place} has {len(row)} of at least {least} tokens that are needed: {why}"
            raise ValueError(msg)


def require_several(prompts: Prompts, why: str) -> None:
    """Refuse fewer than two different prompts.

    Raises:
        ValueError: If there are not two that differ.
    """
    if len(set(prompts.rows)) < 2:  # noqa: PLR2004 - two
        msg = f"{len(prompts.rows)} prompts, of which {len(set(prompts.rows))} different; expected at least 2: {why}"
        raise ValueError(msg)


def _listed(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping) or not (is_array(given) or isinstance(given, Iterable)):
        msg = f"prompts is a {type(given).__name__}; expected {_PROMPTS}"
        raise TypeError(msg)
    listed = list(given)
    return [listed] if listed and all(_is_id(each) for each in listed) else listed


def _row(prompt: Any, place: int, tokenizer: Any) -> tuple[int, ...]:
    if isinstance(prompt, str):
        if tokenizer is None:
            msg = "prompts are texts, and there is no tokenizer to read them; give tokenizer=, or lists of token ids"
            raise ValueError(msg)
        return tuple(int(token) for token in tokenizer(prompt)["input_ids"])
    if not isinstance(prompt, Mapping) and (is_array(prompt) or isinstance(prompt, Iterable)):
        ids = values_of(prompt if is_array(prompt) else list(prompt), f"prompt {place}").numbers
        if ids.ndim == 1 and (ids.dtype.kind in "iu" or not ids.size):
            return tuple(int(token) for token in ids)
    msg = f"prompt {place} is {prompt!r}; expected a text or a list of token ids"
    raise TypeError(msg)


def _is_id(value: Any) -> bool:
    if is_array(value):
        return getattr(value, "ndim", 1) == 0
    return isinstance(value, int) and not isinstance(value, bool)
