"""Numbers to bits and back, for every dtype, without torch."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.golden.container import Part

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.arrays import Array, Values
    from pytest_llmval.scoring.tensors.formats import Floats

_NATIVE = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
# Numbers of these formats that safetensors has no name for are kept as their bytes.
_CODES = _NATIVE | {
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "U8",
    "float8_e5m2fnuz": "U8",
    "float8_e8m0fnu": "U8",
    "complex64": "F32",
    "complex128": "F64",
}
_REAL = {"complex64": "float32", "complex128": "float64"}
# (mantissa bits, exponent bias), Micikevicius et al. arXiv:2209.05433 and, for fnuz, Noune et al. arXiv:2206.02915.
_FLOAT8 = {"float8_e4m3fn": (3, 7), "float8_e4m3fnuz": (3, 8), "float8_e5m2": (2, 15), "float8_e5m2fnuz": (2, 16)}
_NEGATIVE_ZERO = 0x80
_E5M2_INFINITY = 0x7C


def is_complex(dtype: str) -> bool:
    """Whether numbers of a dtype have a last axis of two: real and imaginary part."""
    return dtype in _REAL


def part_of(values: Values, dtype: str) -> Part:
    """The numbers of a tensor as its own dtype stores them.

    Raises:
        TypeError: If there is no way to keep this dtype.
    """
    if dtype not in _CODES:
        msg = f"tensors of dtype {dtype} cannot be kept; expected one of {', '.join(_CODES)}"
        raise TypeError(msg)
    real = _REAL.get(dtype, dtype)
    if real not in _NATIVE:
        return Part(_CODES[dtype], values.bits)
    # Not `values.bits`: those of an array in foreign byte order are not in ours.
    native = np.ascontiguousarray(values.numbers.astype(real)).reshape(values.numbers.shape)
    return Part(_CODES[dtype], _as_bits(native))


def numbers_of(part: Part, dtype: str) -> Array:
    """The numbers that bits of a dtype stand for: floats in float64, integers and bools as they are."""
    if dtype in _FLOAT8 or dtype == "float8_e8m0fnu":
        return np.asarray(_float8_values(dtype)[part.bits])
    if dtype == "bfloat16":
        return np.asarray((part.bits.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64))
    numbers = part.bits.view(np.dtype(_REAL.get(dtype, dtype)))
    return numbers.astype(np.float64) if numbers.dtype.kind == "f" else numbers


def native_array(numbers: Array, dtype: str) -> Array:
    """The numbers as an array of their own dtype where NumPy has it, else in float32, which holds them exactly."""
    if is_complex(dtype):
        return np.asarray(numbers[..., 0] + 1j * numbers[..., 1]).astype(dtype)
    return numbers.astype(dtype if dtype in _NATIVE else np.float32, copy=False)


def floats_part(values: Floats, dtype: str = "float64") -> Part:
    """Numbers of ours in a float format of NumPy or in bfloat16, whose values they already are."""
    if dtype == "bfloat16":
        return Part("BF16", (_as_bits(values.astype(np.float32)) >> np.uint32(16)).astype(np.uint16))
    return Part(_CODES[dtype], _as_bits(values.astype(dtype)))


def integers_part(values: Array) -> Part:
    """Whole numbers of ours, as int64."""
    return Part("I64", _as_bits(values.astype(np.int64)))


def _as_bits(array: Array) -> Array:
    return np.asarray(array.view(np.dtype(f"u{array.dtype.itemsize}")))


@lru_cache
def _float8_values(dtype: str) -> Floats:
    """The value of each of the 256 codes."""
    codes = np.arange(256)
    if dtype == "float8_e8m0fnu":  # a power of two without sign: the scale of the OCP microscaling formats
        return np.where(codes == 0xFF, np.nan, np.ldexp(1.0, codes - 127))  # noqa: PLR2004 - the NaN of this format
    mantissa_bits, bias = _FLOAT8[dtype]
    magnitude = codes & 0x7F
    exponent, fraction = magnitude >> mantissa_bits, magnitude & ((1 << mantissa_bits) - 1)
    leading = np.where(exponent == 0, 0, 1 << mantissa_bits)
    values = np.ldexp((leading + fraction).astype(np.float64), np.maximum(exponent, 1) - bias - mantissa_bits)
    return np.where(
        _float8_nan(codes, dtype), np.nan, np.where(codes > magnitude, -1, 1) * _with_infinity(values, dtype)
    )


def _float8_nan(codes: Array, dtype: str) -> Array:
    magnitude = codes & 0x7F
    if dtype.endswith("fnuz"):
        return np.asarray(codes == _NEGATIVE_ZERO)
    return np.asarray(magnitude > _E5M2_INFINITY if dtype == "float8_e5m2" else magnitude == 0x7F)  # noqa: PLR2004


def _with_infinity(values: Floats, dtype: str) -> Floats:
    if dtype == "float8_e5m2":
        values[[_E5M2_INFINITY, _E5M2_INFINITY | _NEGATIVE_ZERO]] = np.inf
    return values
