"""TextEncoder: texts become vectors, by the mean of a model's last hidden states."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils.hub import cached_file

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.servers.engine.foreign import call_foreign, quiet
from pytest_llmval.servers.engine.network import CONTEXT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_TOKENS = 8192
"""Tokens of a text that are read at most, however many positions a model has: attention grows with their square."""
USUAL_TOKENS = 512
"""Tokens that are read where a model does not say how many it can. A batch holds at most as many tokens as its rows
would have at this length, so that long texts need no more memory."""
PAIRS_AT_ONCE = 4096
DECIMALS = 6
"""Of a cosine: what float32 carries. Beyond it stands which texts shared a batch."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Tokenizer and model of one folder."""

    tokenizer: Any
    model: Any
    room: int
    """Tokens of a text that it reads at most."""
    takes_mask: bool
    """Whether padding can be hidden from it; without, only texts of one length share a batch."""
    files: Path


class TextEncoder:
    """Turns texts into unit vectors: the mean over the tokens of a model's last hidden states, in float32 on the CPU.

    Any model that transformers' `AutoModel` loads will do, encoders and decoders; of one that has both, the encoder.
    It is loaded at first need, once a process.

    Args:
        folder: Of the model, relative to the working directory, or a hub id.
        batch_size: Most texts that are computed together.
        threads: CPU threads while it computes, the same serially and under xdist.

    Raises:
        SettingsError: If there is no such folder, or no model in it.
    """

    def __init__(self, folder: str | Path, *, batch_size: int = 32, threads: int = 1) -> None:
        _check_numbers(batch_size=batch_size, threads=threads)
        self._folder = _local(folder)
        self.source = str(folder if self._folder is None else self._folder)
        """The folder in full, or the hub id."""
        self.cut = 0
        """Texts so far of which only the beginning was read, each counted once a call."""
        self._batch_size = batch_size
        self._threads = threads

    def __repr__(self) -> str:
        """Which encoder this is."""
        return f"TextEncoder({self.source!r})"

    @property
    def room(self) -> int:
        """Tokens of a text that are read at most."""
        return self._opened.room

    @property
    def files(self) -> Path:
        """The folder its files are in; of a hub id, one in the hub's cache."""
        return self._opened.files

    @property
    def _opened(self) -> Opened:
        return _opened(self.source, local=self._folder is not None)

    def embed(self, texts: Iterable[str]) -> np.ndarray:
        """The vectors, `[texts, width]`, float32, each of length 1; the zero vector for a text without a token.

        Each distinct text is computed once. What exceeds the model's positions, or 8192 tokens, is cut off and counted
        in `cut`. Half a surrogate pair, which no tokenizer takes, is read as a question mark.

        Raises:
            ServerError: If the model cannot be loaded, fails, or gives numbers that are not finite.
        """
        given = _texts(texts)
        places = {text: place for place, text in enumerate(dict.fromkeys(given))}
        return self._vectors(list(places))[[places[text] for text in given]]

    def similarity(self, texts: Iterable[str], others: Iterable[str]) -> np.ndarray:
        """The cosine of each text with the other text in its place, `[texts]`, in [−1, 1], to six decimals.

        0 where one of them is blank: its vector has no direction.

        Raises:
            ValueError: If there are not as many of one as of the other.
            ServerError: As for `embed`.
        """
        left, right = _texts(texts), _texts(others)
        if len(left) != len(right):
            msg = f"{len(left)} texts but {len(right)} others; expected one for each"
            raise ValueError(msg)
        places = {text: place for place, text in enumerate(dict.fromkeys([*left, *right]))}
        vectors = self._vectors(list(places))
        pairs = np.array([[places[one], places[other]] for one, other in zip(left, right, strict=True)], dtype=int)
        cosines = [
            np.einsum("pw,pw->p", vectors[some[:, 0]], vectors[some[:, 1]])
            for start in range(0, len(pairs), PAIRS_AT_ONCE)
            for some in [pairs[start : start + PAIRS_AT_ONCE]]
        ]
        found = np.concatenate(cosines).astype(float) if cosines else np.zeros(0)
        return np.clip(np.round(found, DECIMALS), -1.0, 1.0)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The unit vectors of distinct texts, `[texts, width]`."""
        opened = self._opened
        rows, cut = _rows(opened, texts)
        batches = list(_batches(rows, self._batch_size, mixed=opened.takes_mask))
        with torch.inference_mode(), _threads(self._threads):
            means = [call_foreign(f"{self} failed", _means, opened, [rows[at] for at in batch]) for batch in batches]
        width = means[0].shape[1] if means else opened.model.config.get_text_config().hidden_size
        found = np.zeros((len(texts), width), np.float32)
        for batch, part in zip(batches, means, strict=True):
            found[batch] = part
        self.cut += cut
        self._refuse_infinite(found, texts)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return found / np.where(lengths > 0, lengths, 1)

    def _refuse_infinite(self, vectors: np.ndarray, texts: Sequence[str]) -> None:
        broken = [text for text, finite in zip(texts, np.isfinite(vectors).all(axis=1), strict=True) if not finite]
        if broken:
            msg = f"{self} gives numbers that are not finite for {len(broken)} of {len(texts)} texts: {broken[0]!r:.80}"
            raise ServerError(msg)


def _check_numbers(**numbers: Any) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            msg = f"TextEncoder({name}={number!r}): expected a whole number of at least 1"
            raise ValueError(msg)


def _local(folder: str | Path) -> Path | None:
    """The folder in full; None for what can only be a hub id: `name` or `owner/name`."""
    path = Path(folder).expanduser()
    if str(folder) and path.is_dir():
        if not (path / "config.json").is_file():
            msg = f"text encoder {str(folder)!r}: no config.json in it; expected a Hugging Face model folder"
            raise SettingsError(msg)
        return path.resolve()
    if isinstance(folder, Path) or path.is_absolute() or folder.startswith((".", "~")) or len(path.parts) not in (1, 2):
        msg = f"text encoder {str(folder)!r}: no such folder; expected a Hugging Face model folder or a hub id"
        raise SettingsError(msg)
    return None


def _texts(texts: Iterable[str]) -> list[str]:
    given: list[Any] = [texts] if isinstance(texts, str) else list(texts)
    other = next((text for text in given if not isinstance(text, str)), None)
    if isinstance(texts, str) or other is not None:
        msg = f"texts={texts if other is None else other!r:.60}: expected a list of texts"
        raise TypeError(msg)
    return given


@functools.cache
def _opened(source: str, *, local: bool) -> Opened:
    options = {"local_files_only": True} if local else {}
    where = f"text encoder {source!r}"
    tokenizer = call_foreign(f"{where}: its tokenizer cannot be read", AutoTokenizer.from_pretrained, source, **options)
    _refuse_empty_tokenizer(tokenizer, where)
    model, report = call_foreign(
        f"{where}: its weights cannot be read",
        AutoModel.from_pretrained,
        source,
        dtype=torch.float32,
        output_loading_info=True,
        **options,
    )
    _refuse_holes(report, where)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    accepted = inspect.signature(model.forward).parameters
    files = Path(str(cached_file(source, "config.json", **options))).parent
    return Opened(tokenizer, model.eval(), _room(tokenizer, model), "attention_mask" in accepted, files)


def _refuse_empty_tokenizer(tokenizer: Any, where: str) -> None:
    """Without its files transformers makes a tokenizer of special tokens alone, to which all texts are alike."""
    if set(tokenizer.get_vocab().values()) <= set(tokenizer.added_tokens_decoder):
        msg = f"{where}: its tokenizer knows no text; is a vocabulary file missing, such as tokenizer.json?"
        raise ServerError(msg)


def _refuse_holes(report: Any, where: str) -> None:
    """Missing weights are filled with random numbers; a pooler's do not matter, which comes after the states."""
    lacking = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
    missing = [name for name in lacking if "pooler" not in name]
    if missing:
        msg = f"{where}: {len(missing)} weights missing or of another shape, first {missing[0]!r}"
        raise ServerError(msg)


def _room(tokenizer: Any, model: Any) -> int:
    """Tokens that a text may have: as many as tokenizer and model both allow."""
    config = model.config.get_text_config()
    positions = next(filter(None, (getattr(config, name, None) for name in CONTEXT_NAMES)), USUAL_TOKENS)
    return int(min(tokenizer.model_max_length, positions - _unused_positions(model), MOST_TOKENS))


def _unused_positions(model: Any) -> int:
    """Positions that stand for padding: RoBERTa and its kin count from the one after it."""
    named = (part for name, part in model.named_modules() if name.endswith("position_embeddings"))
    return max((part.padding_idx + 1 for part in named if getattr(part, "padding_idx", None) is not None), default=0)


def _rows(opened: Opened, texts: Sequence[str]) -> tuple[list[list[int]], int]:
    """Token ids of each text, none for a blank one, and how many texts were cut."""
    read = [text.encode("utf-8", "replace").decode() for text in texts]
    rows = [_ids(opened.tokenizer, text) if text.strip() else [] for text in read]
    long = [place for place, row in enumerate(rows) if len(row) > opened.room]
    for place in long:
        rows[place] = _ids(opened.tokenizer, read[place], truncation=True, max_length=opened.room)
    return rows, len(long)


def _ids(tokenizer: Any, text: str, **options: Any) -> list[int]:
    with quiet():
        return list(tokenizer(text, verbose=False, **options)["input_ids"])


def _batches(rows: Sequence[Sequence[int]], batch_size: int, *, mixed: bool) -> Iterator[list[int]]:
    """Places of rows that are computed together, longest first; without `mixed` all of one length."""
    order = sorted((place for place, row in enumerate(rows) if row), key=lambda place: (-len(rows[place]), place))
    batch: list[int] = []
    for place in order:
        longest = len(rows[batch[0]]) if batch else 0
        most = min(batch_size, max(1, batch_size * USUAL_TOKENS // max(1, longest)))
        if batch and (len(batch) >= most or not (mixed or len(rows[place]) == longest)):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _means(opened: Opened, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The mean of the last hidden states over the tokens of each row, `[rows, width]`."""
    longest = max(map(len, rows))
    # The id under padding is never attended to; RoBERTa counts positions by it.
    padding = opened.tokenizer.pad_token_id or 0
    ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    masked = {"attention_mask": mask} if opened.takes_mask else {}
    states = opened.model(input_ids=ids, **masked).last_hidden_state.float()
    # A state under padding may be anything, and 0 times NaN is NaN.
    kept = states.masked_fill(mask[..., None] == 0, 0)
    means: np.ndarray = (kept.sum(1) / mask.sum(1, keepdim=True)).numpy()
    return means


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many CPU threads meanwhile; they are the process's, and its engine has its own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
