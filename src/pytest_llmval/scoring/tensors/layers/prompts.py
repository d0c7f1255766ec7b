"""Prompts as one batch of token ids, padded on the left so that masks and positions matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.arrays import is_array, values_of

if TYPE_CHECKING:
    import torch

Ids = list[list[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Token ids of several prompts; every row ends at the last position."""

    rows: tuple[tuple[int, ...], ...]
    """Token ids of each prompt, without padding."""

    @property
    def length(self) -> int:
        """Positions of the longest row."""
        return max(map(len, self.rows))

    @property
    def positions(self) -> int:
        """Tokens of all rows."""
        return sum(map(len, self.rows))

    def starts(self) -> list[int]:
        """The first position of each row that is no padding."""
        return [self.length - len(row) for row in self.rows]

    def inputs(self, device: Any) -> dict[str, Any]:
        """Arguments of a forward pass: `input_ids`, `attention_mask` and `position_ids`, `[rows, length]`."""
        import torch

        ids = torch.zeros((len(self.rows), self.length), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(self.rows):
            ids[index, self.length - len(row) :] = torch.tensor(row)
            mask[index, self.length - len(row) :] = 1
        places: torch.Tensor = (mask.cumsum(-1) - 1).clamp(min=0)
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
        return {name: tensor.to(device) for name, tensor in given.items()}

    def shortest(self, count: int) -> Batch:
        """The shortest prompts alone."""
        return Batch(tuple(sorted(self.rows, key=len)[:count]))


def batch_of(prompts: Any, tokenizer: Any, reference_tokenizer: Any, vocabulary: int) -> Batch:
    """The batch of prompts given as texts, as token ids, or as a tokenizer's output.

    Args:
        prompts: Texts; or token ids, one list or array a prompt; or a mapping with `input_ids` and perhaps
            `attention_mask`.
        tokenizer: The candidate's tokenizer; needed for texts.
        reference_tokenizer: The reference's; texts must give the same ids by both.
        vocabulary: Number of token ids that both models know.

    Raises:
        ValueError: If there is no prompt, a prompt has no token, or an id is outside the vocabulary.
        TypeError: If prompts are neither texts nor ids.
        InvalidComparison: If the tokenizers disagree about a text.
    """
    for each in (tokenizer, reference_tokenizer):
        if each is not None and not callable(each):
            msg = f"tokenizer={each!r:.60}; expected the tokenizer itself, for example the fixture tokenizer"
            raise TypeError(msg)
    rows = _ids_of(prompts, tokenizer, reference_tokenizer)
    if not rows or not all(rows):
        msg = f"prompts={prompts!r:.80}: expected at least one prompt, and a token in each"
        raise ValueError(msg)
    outside = next((token for row in rows for token in row if not 0 <= token < vocabulary), None)
    if outside is not None:
        msg = (
            f"prompts: token id {outside} is outside the vocabulary of {vocabulary}; do tokenizer and model belong "
            "together?"
        )
        raise ValueError(msg)
    return Batch(tuple(map(tuple, rows)))


def _ids_of(prompts: Any, tokenizer: Any, reference_tokenizer: Any) -> Ids:
    if isinstance(prompts, Mapping):
        return _masked(prompts)
    if is_array(prompts):
        return _numbers(prompts, "prompts")
    if not isinstance(prompts, Iterable):
        raise TypeError(_wanted(prompts))
    rows = [prompts] if isinstance(prompts, str) else list(prompts)
    if rows and all(isinstance(each, str) for each in rows):
        return _encoded(rows, tokenizer, reference_tokenizer)
    return _numbers(rows, "prompts")


def _numbers(rows: Any, what: str) -> Ids:
    """The ids of each prompt; one list of numbers is one prompt."""
    if is_array(rows) or not any(isinstance(each, Sequence) or (is_array(each) and each.ndim) for each in rows):
        rows = [rows] if len(rows) and np.ndim(rows[0]) == 0 else rows
    return [_row(row, what) for row in rows]


def _row(row: Any, what: str) -> list[int]:
    is_numbers = is_array(row) or (isinstance(row, Sequence) and not isinstance(row, str))
    if is_numbers and not len(row):
        return []
    if not is_numbers or (isinstance(row, Sequence) and not all(map(_is_number, row))):
        raise TypeError(_wanted(row))
    ids = values_of(row, what).numbers
    # A tokenizer that returns tensors puts an axis of one row before the tokens.
    if ids.dtype.kind not in "iu" or ids.size != ids.shape[-1]:
        raise TypeError(_wanted(row))
    return [int(token) for token in ids.ravel()]


def _is_number(value: object) -> bool:
    return isinstance(value, int) or is_array(value)


def _wanted(given: object) -> str:
    return f"prompts: {given!r:.80}; expected texts, or token ids of each prompt as whole numbers, not a mixture"


def _masked(given: Mapping[str, Any]) -> Ids:
    if "input_ids" not in given:
        msg = f"prompts: a mapping with {', '.join(map(repr, given))}; expected 'input_ids' among its keys"
        raise ValueError(msg)
    ids = _numbers(given["input_ids"], "input_ids")
    if given.get("attention_mask") is None:
        return ids
    mask = _numbers(given["attention_mask"], "attention_mask")
    if list(map(len, ids)) != list(map(len, mask)):
        msg = f"prompts: attention_mask {given['attention_mask']!r:.80}; expected one number for each of the input_ids"
        raise ValueError(msg)
    return [
        [token for token, flag in zip(row, flags, strict=True) if flag] for row, flags in zip(ids, mask, strict=True)
    ]


def _encoded(texts: list[str], tokenizer: Any, reference_tokenizer: Any) -> Ids:
    if tokenizer is None:
        msg = "prompts are texts; expected tokenizer=..., for example the fixture tokenizer, or token ids"
        raise ValueError(msg)
    rows = [list(map(int, tokenizer(text)["input_ids"])) for text in texts]
    if reference_tokenizer is not None:
        for text, row in zip(texts, rows, strict=True):
            _require_equal(text, row, list(map(int, reference_tokenizer(text)["input_ids"])))
    return rows


def _require_equal(text: str, candidate: list[int], reference: list[int]) -> None:
    if candidate != reference:
        pairs = enumerate(zip(candidate, reference, strict=False))
        at = next((at for at, (ours, theirs) in pairs if ours != theirs), min(len(candidate), len(reference)))
        msg = (
            f"the tokenizers disagree about {text!r:.60}: at token {at}, {reference[at : at + 3]} -> "
            f"{candidate[at : at + 3]} ({len(reference)} -> {len(candidate)} tokens); layers can only be compared on "
            "equal token ids, which may also be given as prompts"
        )
        raise InvalidComparison(msg)
