"""The text encoder of a metric: found beside the suite, told apart by its weights."""

from __future__ import annotations

import functools
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.checks import LlmvalDataWarning
from pytest_llmval.errors import SettingsError
from pytest_llmval.records.fingerprint import fingerprint
from pytest_llmval.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.servers.engine.embedding import TextEncoder

PARTS = ("weights", "config", "tokenizer", "template")
"""What of a fingerprint makes an encoder's vectors; `template` has the tokenizer's settings."""


def encoder_of(encoder: str | Path | TextEncoder, metric: str, folder: Path) -> TextEncoder:
    """The encoder that was named or given.

    Args:
        encoder: Folder with a model, hub id, or the encoder itself.
        metric: Who asks, for the message.
        folder: Where relative paths begin.

    Raises:
        SettingsError: If torch and transformers are not installed, or there is no such model.
        TypeError: If it is something else.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        msg = f"{metric} needs torch and transformers: pip install pytest-llmval[transformers]"
        raise SettingsError(msg)
    from pytest_llmval.servers.engine.embedding import TextEncoder

    if isinstance(encoder, TextEncoder):
        return encoder
    given: object = encoder  # callers may not check types
    if not isinstance(given, str | Path):
        msg = f"{metric}: encoder={encoder!r:.60}; expected the folder of a model, a hub id or a TextEncoder"
        raise TypeError(msg)
    beside = folder / Path(encoder).expanduser()
    # In `models/encodr` the folder `models` tells that no hub id was meant.
    is_local = isinstance(encoder, Path) or beside.is_dir() or (beside.parent != folder and beside.parent.is_dir())
    return TextEncoder(beside if is_local else encoder)


def identity_of(encoder: TextEncoder) -> str:
    """What tells an encoder from others: a hash of its files."""
    return _hash_of(encoder.files)


@functools.cache
def _hash_of(folder: Path) -> str:
    parts = fingerprint(ModelSettings(name="text encoder", model=str(folder)), cache=None).parts
    return content_hash({name: parts[name] for name in PARTS})[:12]


def similarities(encoder: TextEncoder, pairs: Iterable[tuple[str, str]], metric: str) -> dict[tuple[str, str], float]:
    """The cosine of each distinct pair of texts; a warning when texts were longer than what the encoder reads."""
    distinct = list(dict.fromkeys(pairs))
    before = encoder.cut
    found = encoder.similarity([one for one, _ in distinct], [other for _, other in distinct])
    if encoder.cut > before:
        texts = len({text for pair in distinct for text in pair})
        msg = (
            f"{metric}: {encoder.cut - before} of {texts} texts have more than the {encoder.room} tokens that the "
            "encoder reads; what comes after them does not count"
        )
        warnings.warn(msg, LlmvalDataWarning, stacklevel=3)
    return dict(zip(distinct, found.tolist(), strict=True))
