"""Logits of both sides, read block by block, with the token that followed each position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.arrays import is_torch, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.pairs import Flags

Ids = npt.NDArray[np.int64]

LEAST_POSITIONS = 100
"""Fewer say next to nothing about a mean of a heavy-tailed divergence; llama-perplexity refuses them too."""

_BLOCK = 2_000_000  # logits read at once: 16 MB in float64, some ten times that at work


@dataclass(frozen=True, slots=True, eq=False)
class LogitRows:
    """Both sides' logits at the positions that count, in order; nothing is copied until a block is read."""

    candidate: Any
    """`[all positions, vocabulary]`."""
    reference: Any
    """`[all positions, vocabulary]`."""
    positions: Ids
    """Rows that count, `[positions]`."""
    observed: Ids | None
    """Token that followed each of them, `[positions]`; None when no token ids were given."""
    shape: tuple[int, ...]
    """Lengths before the vocabulary: `(positions,)` or `(batch, positions)`."""
    dtypes: tuple[str, str]
    """Of candidate and reference."""

    @property
    def documents(self) -> int:
        """Rows of the batch that have a position that counts."""
        return len(np.unique(self.positions // self.shape[-1]))

    def index(self, row: int) -> tuple[int, ...]:
        """Where the row-th position that counts stands in the logits as they were given."""
        return tuple(int(place) for place in np.unravel_index(int(self.positions[row]), self.shape))

    def blocks(self, rows: Ids | None = None) -> Iterator[tuple[slice, Floats, Floats]]:
        """Places among `rows` (by default all), and both sides in float64, candidate first, `[block, vocabulary]`.

        Raises:
            ModelRegression: If a candidate's logit is NaN or +Inf.
            InvalidComparison: If one of the reference is.
        """
        chosen = self.positions if rows is None else self.positions[rows]
        step = max(1, _BLOCK // max(1, self.candidate.shape[-1]))
        for start in range(0, len(chosen), step):
            where = slice(start, min(start + step, len(chosen)))
            yield where, self._read("candidate", chosen[where]), self._read("reference", chosen[where])

    def _read(self, side: str, positions: Ids) -> Floats:
        logits = values_of(getattr(self, side)[positions.tolist()], f"{side} logits").floats
        wrong = np.isnan(logits) | (logits == np.inf)
        nothing = ~np.isfinite(logits).any(axis=-1)
        if wrong.any() or nothing.any():
            at = int(positions[int(np.argmax(wrong.any(axis=-1) | nothing))])
            place = [int(each) for each in np.unravel_index(at, self.shape)]
            msg = f"{side} logits: NaN, +Inf or nothing but -Inf at position {place}, so there is no distribution"
            raise (ModelRegression if side == "candidate" else InvalidComparison)(msg)
        return logits


def logit_rows(candidate: Any, reference: Any, *, token_ids: Any = None, mask: Any = None, least: int = 1) -> LogitRows:
    """Both sides' logits with the positions that count.

    Args:
        candidate: Logits `[positions, vocabulary]` or `[batch, positions, vocabulary]`.
        reference: The same, of equal shape.
        token_ids: Ids of the input tokens, `[positions]` or `[batch, positions]`: position t is scored by the token
            at t + 1, and the last position of a row has none, so that it does not count.
        mask: True where there is a token, of the shape of `token_ids`.
        least: Fewest positions that are enough.

    Raises:
        InvalidComparison: If shapes differ, or fewer positions than `least` count.
        ValueError: If an argument's shape cannot be meant, or a token id is outside the vocabulary.
    """
    ours, theirs = _array(candidate, "candidate"), _array(reference, "reference")
    _refuse_shapes(tuple(ours.shape), tuple(theirs.shape))
    shape = tuple(ours.shape[:-1])
    counts = _counting(shape, mask)
    observed = None
    if token_ids is not None:
        observed, counts = _observed(_ids(token_ids, shape), counts)
    positions = np.flatnonzero(counts.ravel())
    _refuse_few(len(positions), least)
    rows = LogitRows(
        candidate=ours.reshape(-1, ours.shape[-1]),
        reference=theirs.reshape(-1, theirs.shape[-1]),
        positions=positions,
        observed=None if observed is None else observed.ravel()[positions],
        shape=shape,
        dtypes=(_dtype(candidate, ours), _dtype(reference, theirs)),
    )
    _refuse_ids(rows.observed, ours.shape[-1])
    return rows


def _array(logits: Any, side: str) -> Any:
    array = logits.detach() if is_torch(logits) else np.asarray(logits)
    if array.ndim not in {2, 3}:
        msg = (
            f"{side} logits of shape {tuple(array.shape)}; expected [positions, vocabulary] or "
            f"[batch, positions, vocabulary]"
        )
        raise ValueError(msg)
    return array


def _dtype(given: Any, array: Any) -> str:
    """Name of the dtype; empty for lists."""
    return values_of(array[:1, :1] if given is array or hasattr(given, "dtype") else [0.0]).dtype


def _refuse_shapes(candidate: tuple[int, ...], reference: tuple[int, ...]) -> None:
    if candidate == reference:
        return
    hint = (
        "the vocabularies differ" if candidate[-1] != reference[-1] else "the prompts were not cut into the same tokens"
    )
    msg = (
        f"logits cannot be compared: shape expected {reference} -> actual {candidate}; {hint}, and nothing is truncated"
    )
    raise InvalidComparison(msg)


def _refuse_few(count: int, least: int) -> None:
    if count < least:
        msg = (
            f"logits cannot be compared: {count} positions count, at least {least} are needed for a mean that means "
            f"something; give more or longer texts"
        )
        raise InvalidComparison(msg)


def _refuse_ids(observed: Ids | None, vocabulary: int) -> None:
    if observed is None or not observed.size:
        return
    wrong = observed[(observed < 0) | (observed >= vocabulary)]
    if wrong.size:
        msg = f"token_ids: {int(wrong[0])} is outside the vocabulary of {vocabulary}; mask padding by mask="
        raise ValueError(msg)


def _counting(shape: tuple[int, ...], mask: Any) -> Flags:
    if mask is None:
        return np.ones(shape, dtype=bool)
    flags = values_of(mask, "mask").numbers.astype(bool)
    if flags.shape != shape:
        msg = f"mask of shape {flags.shape}; expected {shape}, one entry a position"
        raise ValueError(msg)
    return np.asarray(flags)


def _ids(token_ids: Any, shape: tuple[int, ...]) -> Ids:
    ids = values_of(token_ids, "token_ids").numbers
    if ids.shape != shape or ids.dtype.kind not in "iu":
        msg = (
            f"token_ids of shape {ids.shape} and dtype {ids.dtype}; expected integers of shape {shape}: the input "
            f"tokens, one a position (they are shifted here)"
        )
        raise ValueError(msg)
    return ids.astype(np.int64)


def _observed(ids: Ids, counts: Flags) -> tuple[Ids, Flags]:
    """The next token of each position, and the positions that have one that counts."""
    following = np.roll(ids, -1, axis=-1)
    has_next = np.roll(counts, -1, axis=-1)
    has_next[..., -1] = False
    return following, counts & has_next
