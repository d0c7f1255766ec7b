"""A golden file's content: the goldens of one test, by name and environment, and its bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.golden.container import Contents, canonical_json, decoded, encoded
from pytest_llmval.scoring.tensors.golden.stored import Author, StoredGolden, StoredTensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmval.scoring.tensors.golden.container import Part

FORMAT = 1
"""Raised when an older plugin could misread the file."""


def to_bytes(goldens: Iterable[StoredGolden]) -> bytes:
    """A file's bytes, the same for the same goldens in any order."""
    ordered = sorted(goldens, key=lambda each: each.key)
    note = {"format": FORMAT, "goldens": [_golden_entry(each) for each in ordered]}
    parts = {
        _part_name(each, tensor, name): part
        for each in ordered
        for tensor in each.tensors
        for name, part in tensor.parts.items()
    }
    return encoded(Contents(canonical_json(note), parts))


def from_bytes(content: bytes) -> tuple[StoredGolden, ...]:
    """The goldens of a file.

    Raises:
        ValueError: If the file is damaged, not ours, or of a newer format.
    """
    contents = decoded(content)
    entries = entries_of(contents.note)
    try:
        return tuple(_golden(entry, contents.parts) for entry in entries)
    except (KeyError, TypeError) as error:
        msg = f"its note lacks or misspells {error}"
        raise ValueError(msg) from error


def entries_of(note: str) -> list[dict[str, Any]]:
    """The goldens of a file's note, without their numbers.

    Raises:
        ValueError: If the note is not ours, or of a newer format.
    """
    try:
        document = json.loads(note)
        written, entries = document["format"], document["goldens"]
    except (ValueError, KeyError, TypeError) as error:
        msg = "its note is not that of a golden file"
        raise ValueError(msg) from error
    if written != FORMAT:
        msg = f"it has format {written!r}, and this version of pytest-llmval reads {FORMAT}: update the plugin"
        raise ValueError(msg)
    return list(entries)


def _golden_entry(golden: StoredGolden) -> dict[str, Any]:
    return {
        "name": golden.name,
        "environment": dict(golden.environment),
        "tier": golden.tier,
        "author": asdict(golden.author),
        "written_at": golden.written_at,
        "texts": dict(golden.texts),
        "tensors": [_tensor_entry(each) for each in golden.tensors],
    }


def _tensor_entry(tensor: StoredTensor) -> dict[str, Any]:
    return {
        "path": tensor.path,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "held": tensor.held,
        "encoding": tensor.encoding,
        "facts": dict(tensor.facts),
        "parts": {name: _checksum(part) for name, part in tensor.parts.items()},
    }


def _golden(entry: Mapping[str, Any], parts: Mapping[str, Part]) -> StoredGolden:
    bare = StoredGolden(
        name=entry["name"],
        environment=entry["environment"],
        tier=entry["tier"],
        author=Author(**entry["author"]),
        written_at=entry["written_at"],
        tensors=(),
        texts=entry["texts"],
    )
    tensors = tuple(_tensor(bare, each, parts) for each in entry["tensors"])
    return StoredGolden(bare.name, bare.environment, bare.tier, bare.author, bare.written_at, tensors, bare.texts)


def _tensor(golden: StoredGolden, entry: Mapping[str, Any], parts: Mapping[str, Part]) -> StoredTensor:
    fields = {name: value for name, value in entry.items() if name not in {"parts", "shape"}}
    tensor = StoredTensor(**fields, shape=tuple(entry["shape"]), parts={})
    found = {name: parts[_part_name(golden, tensor, name)] for name in entry["parts"]}
    for name, part in found.items():
        if _checksum(part) != entry["parts"][name]:
            msg = f"the numbers of {tensor.path or 'the tensor'!r} are not those that were written (SHA-256 of {name})"
            raise ValueError(msg)
    return StoredTensor(**fields, shape=tensor.shape, parts=found)


def _part_name(golden: StoredGolden, tensor: StoredTensor, part: str) -> str:
    """Readable in any viewer of safetensors, and unique: name and environment, path, part."""
    return "/".join((*golden.key, tensor.path, part))


def _checksum(part: Part) -> str:
    little = part.bits.astype(part.bits.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(np.ascontiguousarray(little).tobytes()).hexdigest()
