"""The safetensors container: named arrays and one note, the same bytes for the same content.

Written here and not by the library: its one interface that takes bfloat16 without torch wants raw pointers and
changed between 0.7 and 0.8, and with two or more metadata keys its bytes differ from save to save.

Format: https://huggingface.co/docs/safetensors (8-byte little-endian length, JSON header, data).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.scoring.tensors.arrays import Array

NOTE = "llmval"
"""The one metadata key."""
_LENGTH = 8
_LONGEST_HEADER = 100_000_000  # the library's own limit
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One array of a file, as its bits."""

    code: str
    """The dtype's name in safetensors, for example `BF16`."""
    bits: Array
    """Unsigned integers of the dtype's width, in the array's shape."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    note: str
    parts: Mapping[str, Part]


def encoded(contents: Contents) -> bytes:
    """The file's bytes: names sorted, widest numbers first so that each lies at a multiple of its width."""
    header: dict[str, Any] = {"__metadata__": {NOTE: contents.note}}
    data: list[bytes] = []
    offset = 0
    for name, part in sorted(contents.parts.items(), key=lambda item: (-_BYTES[item[1].code], item[0])):
        raw = part.bits.astype(_little_endian(part.code), copy=False).tobytes()
        header[name] = {"dtype": part.code, "shape": list(part.bits.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = canonical_json(header).encode()
    text += b" " * (-len(text) % _LENGTH)
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *data])


def decoded(content: bytes) -> Contents:
    """What a file's bytes hold.

    Raises:
        ValueError: If they are no whole safetensors file with our note; the text says what is wrong.
    """
    start = _LENGTH + _header_length(content[:_LENGTH])
    note, entries = _parsed(content[_LENGTH:start], start)
    data = content[start:]
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if len(data) != end:
        msg = f"{len(data)} bytes of data where its header announces {end}: cut off, or changed by a text conversion"
        raise ValueError(msg)
    return Contents(note, {name: _part(name, entry, data) for name, entry in entries.items()})


def read_note(stream: BinaryIO) -> str:
    """The note of a file, without reading its data.

    Raises:
        ValueError: If the beginning is not that of a safetensors file with our note.
    """
    length = _header_length(stream.read(_LENGTH))
    return _parsed(stream.read(length), _LENGTH + length)[0]


def canonical_json(value: object) -> str:
    """A value as JSON in one way only: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _header_length(first: bytes) -> int:
    length = int.from_bytes(first, "little")
    if len(first) < _LENGTH or not 1 < length <= _LONGEST_HEADER:
        msg = "it does not begin with the length of a header"
        if first.startswith(b"version "):
            msg += "; this is a pointer of Git LFS: run `git lfs pull`"
        raise ValueError(msg)
    return length


def _parsed(text: bytes, start: int) -> tuple[str, dict[str, Any]]:
    try:
        header = json.loads(text)
        note = header.pop("__metadata__")[NOTE]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"no JSON header with the metadata key {NOTE!r} in its first {start} bytes"
        raise ValueError(msg) from error
    return str(note), header


def _part(name: str, entry: Any, data: bytes) -> Part:
    try:
        code, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        size = math.prod(shape) * _BYTES[code]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the header's entry {name!r} is not as the format wants it: {entry!r:.120}"
        raise ValueError(msg) from error
    if end - begin != size or begin < 0:
        msg = f"the header gives {name!r} {end - begin} bytes, its shape and dtype need {size}"
        raise ValueError(msg)
    bits = np.frombuffer(data[begin:end], dtype=_little_endian(code)).reshape(shape)
    return Part(code, bits.astype(bits.dtype.newbyteorder("="), copy=False))


def _little_endian(code: str) -> np.dtype[Any]:
    return np.dtype(f"<u{_BYTES[code]}")
