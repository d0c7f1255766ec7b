"""Number formats: spacing, rounding and distance in units in the last place (ULP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Format:
    """A floating-point format, or the integers as one with spacing 1."""

    name: str
    mantissa_bits: int
    """Stored bits after the leading one."""
    least_exponent: int
    """Exponent of the smallest normal number, as a power of two."""

    @property
    def eps(self) -> float:
        """Spacing at 1."""
        return 2.0**-self.mantissa_bits

    @property
    def is_integer(self) -> bool:
        """Whether the numbers are spaced by 1 everywhere."""
        return self.least_exponent > _ANY_EXPONENT


_ANY_EXPONENT = 2000  # above the exponent of every float64: the spacing is then 1 at every magnitude

INTEGERS = Format("integer", _ANY_EXPONENT + 1, _ANY_EXPONENT + 1)

_FLOATS = {
    "float64": Format("float64", 52, -1022),
    "float32": Format("float32", 23, -126),
    "float16": Format("float16", 10, -14),
    "bfloat16": Format("bfloat16", 7, -126),
    "float8_e4m3fn": Format("float8_e4m3fn", 3, -6),
    "float8_e4m3fnuz": Format("float8_e4m3fnuz", 3, -7),
    "float8_e5m2": Format("float8_e5m2", 2, -14),
    "float8_e5m2fnuz": Format("float8_e5m2fnuz", 2, -15),
    "float8_e8m0fnu": Format("float8_e8m0fnu", 0, -127),
    "complex64": Format("float32", 23, -126),
    "complex128": Format("float64", 52, -1022),
}
_INTEGER_NAMES = ("int", "uint", "bool")


def dtype_name(dtype: object) -> str:
    """Name of a dtype of torch or NumPy, or of a name of either.

    >>> dtype_name(np.dtype("float32")), dtype_name(np.float16), dtype_name("torch.bfloat16")
    ('float32', 'float16', 'bfloat16')
    """
    if isinstance(dtype, type):
        return np.dtype(dtype).name
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def format_of(dtype: object) -> Format:
    """The format of a dtype.

    Raises:
        ValueError: If no format of that name is known.
    """
    name = dtype_name(dtype)
    if name in _FLOATS:
        return _FLOATS[name]
    if name.startswith(_INTEGER_NAMES):
        return INTEGERS
    msg = f"dtype {name!r} is not known; expected an integer dtype or one of {', '.join(_FLOATS)}"
    raise ValueError(msg)


def coarser(*dtypes: str) -> Format:
    """The format with the widest spacing among dtypes; integers only when all are.

    A list has no dtype of its own (`""`) and takes that of the other side.
    """
    formats = [format_of(dtype) for dtype in dtypes if dtype] or [_FLOATS["float64"]]
    return max((each for each in formats if not each.is_integer), key=lambda each: each.eps, default=INTEGERS)


def ulp_size(values: Floats, form: Format) -> Floats:
    """Distance to the next number of the format at each finite magnitude, in the shape of `values`.

    >>> ulp_size(np.array([1.0, 16.0, 0.0]), format_of("bfloat16"))[:2].tolist()
    [0.0078125, 0.125]
    """
    spacing: Floats = np.ldexp(1.0, _exponents(values, form) - form.mantissa_bits)
    return spacing


def rounded(values: Floats, form: Format) -> Floats:
    """Each number rounded to the nearest of the format, ties to even; the format's largest number is not enforced."""
    if form.is_integer:
        return np.rint(values)
    finite = np.isfinite(values)
    spacing = ulp_size(np.where(finite, values, 0.0), form)
    return np.where(finite, np.rint(np.where(finite, values, 0.0) / spacing) * spacing, values)


def ulp_distance(actual: Floats, expected: Floats, form: Format) -> npt.NDArray[np.uint64]:
    """How many numbers of the format one must step over from one side to the other; 0 between −0 and +0.

    Both sides are rounded to the format first. All values are finite.
    """
    if form.is_integer:
        whole: npt.NDArray[np.uint64] = np.abs(np.rint(actual) - np.rint(expected)).clip(max=2.0**63).astype(np.uint64)
        return whole
    left, right = rounded(actual, form), rounded(expected, form)
    here, there = _ordinals(left, form), _ordinals(right, form)
    same_sign = np.signbit(left) == np.signbit(right)
    high, low = np.maximum(here, there), np.minimum(here, there)
    steps: npt.NDArray[np.uint64] = np.where(same_sign, high - low, high + low)
    return steps


def _ordinals(values: Floats, form: Format) -> npt.NDArray[np.uint64]:
    """Place of each magnitude among the format's numbers, 0 for zero: the bits without the sign."""
    exponents = _exponents(values, form)
    steps = np.ldexp(np.abs(values), form.mantissa_bits - exponents).astype(np.uint64)
    binades = (exponents - form.least_exponent).astype(np.uint64)
    return steps + (binades << np.uint64(form.mantissa_bits))


def _exponents(values: Floats, form: Format) -> npt.NDArray[np.int64]:
    """Exponent of each magnitude as a power of two, not below the format's smallest normal number."""
    exponents = np.frexp(values)[1].astype(np.int64) - 1
    return np.where(values == 0, form.least_exponent, np.maximum(exponents, form.least_exponent))
