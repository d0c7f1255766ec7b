"""The file: read by the official library, the same bytes for the same content, every dtype bit by bit."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.formats import dtype_name
from pytest_llmval.scoring.tensors.golden.container import Contents, Part, canonical_json, decoded, encoded
from pytest_llmval.scoring.tensors.golden.document import from_bytes, to_bytes
from pytest_llmval.scoring.tensors.golden.encoding import numbers_of, part_of

FLOAT8 = [torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
INTEGERS = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint64]
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
COMPLEX = [torch.complex64, torch.complex128]


def _random_bits(dtype, shape, seed):
    """A tensor of random bits: NaN with payloads, infinities, subnormals and both zeros among them."""
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.random.default_rng(seed).integers(0, 2 if dtype == torch.bool else 256, size, dtype=np.uint8)
    return torch.frombuffer(bytearray(raw.tobytes()), dtype=torch.uint8).view(dtype).reshape(shape)


@pytest.mark.parametrize("dtype", FLOAT8, ids=str)
def test_all_256_codes_of_float8_are_read_as_torch_reads_them(dtype):
    """Torch is the oracle for the formats that NumPy lacks."""
    codes = torch.arange(256, dtype=torch.uint8)
    part = Part("U8", codes.numpy())

    found = numbers_of(part, dtype_name(dtype))

    np.testing.assert_array_equal(found, codes.view(dtype).to(torch.float64).numpy())
    assert np.array_equal(
        np.signbit(found[~np.isnan(found)]), np.signbit(codes.view(dtype).double().numpy()[~np.isnan(found)])
    )


@given(dtype=st.sampled_from(FLOAT8 + INTEGERS + FLOATS + COMPLEX), seed=st.integers(0, 99), rows=st.integers(1, 4))
def test_every_dtype_comes_back_from_a_file(dtype, seed, rows):
    """Value by value, and for formats other than NumPy's bit by bit; no torch is used to read."""
    tensor = _random_bits(dtype, (rows, 3), seed)
    name = dtype_name(dtype)
    part = part_of(values_of(tensor), name)

    back = decoded(encoded(Contents("{}", {"x": part}))).parts["x"]

    expected = torch.view_as_real(tensor) if dtype.is_complex else tensor
    exact = not dtype.is_floating_point and not dtype.is_complex
    np.testing.assert_array_equal(
        numbers_of(back, name), expected.numpy() if exact else expected.to(torch.float64).numpy()
    )
    assert back.code == part.code


def test_the_official_library_reads_what_we_write(tmp_path, golden_of):
    """Bfloat16 and float8 among it, with one metadata key."""
    value = {
        "wide": torch.linspace(-1, 1, 7, dtype=torch.float64),
        "odd": torch.tensor([1, 2, 3], dtype=torch.uint8),
        "half": torch.linspace(-3, 3, 5).to(torch.bfloat16),
        "eighth": torch.linspace(-3, 3, 5).to(torch.float8_e4m3fn),
    }
    golden = golden_of(value)
    path = tmp_path / "a.safetensors"
    path.write_bytes(to_bytes([golden]))

    with safe_open(path, framework="pt") as file:
        read = {name.split("/")[2]: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        assert list(file.metadata()) == ["llmval"]

    assert set(read) == set(value)
    for name, tensor in value.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name].float(), tensor.float())


def test_a_file_read_and_written_again_has_the_same_bytes(golden_of, hidden, there):
    """In any order of its goldens and of the tensors in them, so that a review shows what changed and no more."""
    value = {"b": hidden, "a": [hidden.astype(np.float16), 3], "c": "text", "d": None}
    turned = dict(reversed(value.items()))
    goldens = [golden_of(value), golden_of(hidden, "fingerprint", name="y"), golden_of(hidden, "slices", facts=there)]
    content = to_bytes(goldens)

    assert to_bytes(from_bytes(content)) == content
    assert to_bytes(reversed(goldens)) == content
    assert to_bytes([golden_of(turned), *goldens[1:]]) == content


def test_the_header_is_canonical_and_data_are_aligned(golden_of, hidden):
    """Sorted keys without spaces, padded to 8 bytes; every array begins at a multiple of its width."""
    content = to_bytes([golden_of({"z": hidden[:1, :3].astype(np.uint8), "a": hidden.astype(np.float16), "b": hidden})])

    length = int.from_bytes(content[:8], "little")
    text = content[8 : 8 + length].decode()
    header = json.loads(text)

    assert length % 8 == 0
    assert text.rstrip(" ") == canonical_json(header)
    header.pop("__metadata__")
    assert [entry["data_offsets"][0] % width for entry, width in zip(header.values(), (2, 4, 1), strict=True)] == [
        0
    ] * 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content[:5], "does not begin with the length of a header"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\noid", "run `git lfs pull`"),
        (lambda content: content[:200], "no JSON header with the metadata key 'llmval'"),
        (lambda content: content[:-1], "cut off, or changed by a text conversion"),
        (lambda content: content + b"\n", "cut off, or changed by a text conversion"),
        (
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
            "are not those that were written (SHA-256 of values)",
        ),
        (lambda content: content.replace(b'\\"format\\":1', b'\\"format\\":2'), "reads 1: update the plugin"),
        (lambda content: content.replace(b'\\"tier\\"', b'\\"tear\\"'), "its note lacks or misspells 'tier'"),
        (lambda content: content.replace(b'"dtype":"F32"', b'"dtype":"F33"'), "not as the format wants it"),
        (lambda content: content.replace(b'"shape":[48,64]', b'"shape":[49,64]'), "its shape and dtype need 12544"),
    ],
)
def test_a_damaged_file_is_named_as_such(golden_of, hidden, damage, says):
    """Cut off, a bit flipped, a pointer of Git LFS, a newer format: each says what it is."""
    content = damage(to_bytes([golden_of(hidden)]))

    with pytest.raises(ValueError, match=re.escape(says)):
        from_bytes(content)


def test_arrays_in_foreign_byte_order_keep_their_values(golden_of):
    """NumPy reads big-endian files into such arrays."""
    values = np.array([1.5, -2.25], dtype=">f4")

    kept = from_bytes(to_bytes([golden_of(values)]))[0].tensors[0]

    assert kept.numbers().tolist() == [1.5, -2.25]
