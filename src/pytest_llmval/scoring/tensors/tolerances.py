"""Tolerances: how far one element may lie from what is expected, and whether any number can."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pytest_llmval.scoring.tensors.formats import Floats, Format, coarser, dtype_name, format_of, rounded, ulp_size
from pytest_llmval.scoring.tensors.magnitudes import root_mean_square

# torch.testing._comparison._DTYPE_PRECISIONS of torch 2.13; others are compared exactly.
_TORCH = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}
# (rtol, atol in units of the expected tensor's RMS) of one operation: an absolute part that does not know the
# scale of the tensor is either vacuous or never met. float8: half the spacing at 1 would be one rounding.
_AUTO = {
    "float16": (1e-3, 1e-3),
    "bfloat16": (1.6e-2, 8e-3),
    "float32": (1.3e-6, 1e-6),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-6),
    "complex128": (1e-7, 1e-7),
    "float8_e4m3fn": (0.125, 0.0),
    "float8_e4m3fnuz": (0.125, 0.0),
    "float8_e5m2": (0.25, 0.0),
    "float8_e5m2fnuz": (0.25, 0.0),
}


@dataclass(frozen=True, slots=True)
class Tol:
    """What one element may differ by: `|actual − expected| ≤ atol + atol_rms·RMS(expected) + rtol·|expected|`.

    With `max_ulp` instead, the number of representable numbers between the two is bounded. The two ways are not
    mixed, since "either of two bounds" passes what neither alone would.

    >>> Tol(rtol=1e-3)
    Tol(rtol=0.001, atol=0.0, atol_rms=0.0, max_ulp=None)
    """

    rtol: float = 0.0
    """Share of the expected magnitude."""
    atol: float = 0.0
    """Absolute, in the tensor's own unit."""
    atol_rms: float = 0.0
    """Absolute, in units of the root mean square of the expected tensor: independent of its scale."""
    max_ulp: int | None = None
    """Representable numbers between the two, in the coarser of the two formats."""

    def __post_init__(self) -> None:
        """Refuse negative and infinite numbers, and ULPs beside other parts."""
        for name in ("rtol", "atol", "atol_rms"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                msg = f"Tol: {name}={value!r}; expected a finite number of at least 0"
                raise ValueError(msg)
        if self.max_ulp is not None and (self.max_ulp < 0 or self.rtol or self.atol or self.atol_rms):
            msg = f"Tol: max_ulp={self.max_ulp!r} with {self}; expected max_ulp of at least 0 and no other part"
            raise ValueError(msg)

    @classmethod
    def exact(cls) -> Tol:
        """Equal in value; +0 and −0 are equal. `assert_bitwise_equal` also parts these."""
        return cls()

    @classmethod
    def ulp(cls, n: int) -> Tol:
        """At most `n` representable numbers away."""
        return cls(max_ulp=n)

    @classmethod
    def torch(cls, *dtypes: object) -> Tol:
        """The defaults of `torch.testing.assert_close`: the larger of those of the dtypes; integers are exact.

        >>> Tol.torch("float32", "bfloat16").rtol
        0.016
        """
        rtol, atol = _widest(_TORCH, dtypes)
        return cls(rtol=rtol, atol=atol)

    @classmethod
    def auto(cls, *dtypes: object) -> Tol:
        """For one operation's output: relative, with an absolute part in units of the tensor's RMS.

        Errors of a deep network have no honest constant: use `assert_within_control` there.
        """
        rtol, atol_rms = _widest(_AUTO, dtypes)
        return cls(rtol=rtol, atol_rms=atol_rms)

    @property
    def is_exact(self) -> bool:
        """Whether only equal values pass."""
        return not (self.rtol or self.atol or self.atol_rms or self.max_ulp)

    def allowance(self, expected: Floats, rms: float) -> Floats:
        """Largest difference that passes at each element; meaningless for `max_ulp`."""
        return self.atol + self.atol_rms * rms + self.rtol * np.abs(expected)

    def __str__(self) -> str:
        if self.max_ulp is not None:
            return f"{self.max_ulp} ULP"
        parts = [f"atol {self.atol:.3g}"] if self.atol else []
        parts += [f"{self.atol_rms:.3g} RMS"] if self.atol_rms else []
        parts += [f"rtol {self.rtol:.3g}"] if self.rtol else []
        return " + ".join(parts) or "exact"


def refuse_unreachable(
    tol: Tol, expected: Floats, dtypes: tuple[str, str], *, rms: float | None = None, path: str = ""
) -> None:
    """Raise when no inexact result of these dtypes can meet a tolerance.

    Two different numbers of a format lie at least one spacing apart, and rounding alone costs up to half of one, so
    an allowance below half a spacing demands equality while looking like a tolerance. Zeros and subnormal numbers
    are not looked at: with `rtol` alone a zero must be met exactly, and often is.

    Args:
        tol: The tolerance.
        expected: Finite expected elements that are compared, of any shape.
        dtypes: Of the actual and of the expected side.
        rms: Root mean square of the expected tensor; by default that of `expected`.
        path: Where the tensor stands in its container.

    Raises:
        ValueError: With the element that shows it and the smallest `atol` and `rtol` that can be met.
    """
    form = coarser(*dtypes)
    normal = expected[np.abs(expected) >= (1.0 if form.is_integer else 2.0**form.least_exponent)]
    if not normal.size or tol.max_ulp is not None:
        return
    if tol.is_exact:
        _refuse_unrepresentable(normal, dtypes, path)
        return
    spacing = ulp_size(normal, form)
    allowed = tol.allowance(normal, root_mean_square(expected) if rms is None else rms)
    worst = int(np.argmin(allowed / spacing))
    if allowed[worst] < spacing[worst] / 2:
        msg = _unreachable(tol, float(normal[worst]), float(allowed[worst]), float(spacing[worst]), form)
        raise ValueError(f"{path}: {msg}" if path else msg)


def _widest(table: dict[str, tuple[float, float]], dtypes: tuple[object, ...]) -> tuple[float, float]:
    """The larger of each number over the dtypes; a list's dtype is empty and has no say."""
    names = [dtype_name(dtype) for dtype in dtypes if dtype]
    for name in names:
        format_of(name)  # an unknown name is an error, not exact
    rows = [table.get(name, (0.0, 0.0)) for name in names] or [table["float64"]]
    return max(row[0] for row in rows), max(row[1] for row in rows)


def _refuse_unrepresentable(expected: Floats, dtypes: tuple[str, str], path: str) -> None:
    actual_format = coarser(dtypes[0] or dtypes[1])
    impossible = expected[rounded(expected, actual_format) != expected]
    if impossible.size:
        msg = (
            f"the tolerance is exact, but {actual_format.name} cannot hold {impossible.size} of {expected.size} "
            f"expected values, for example {float(impossible[0])!r}; round the expected side first, or allow "
            f"Tol.ulp(1)"
        )
        raise ValueError(f"{path}: {msg}" if path else msg)


def _unreachable(tol: Tol, expected: float, allowed: float, spacing: float, form: Format) -> str:
    return (
        f"the tolerance ({tol}) cannot be met: at the expected value {expected:.6g} it allows {allowed:.3g}, below "
        f"half the spacing {spacing:.3g} of {form.name} there, so that only equal values pass; use Tol.exact() if "
        f"that is meant, else atol of at least {spacing / 2:.3g} or rtol of at least {form.eps / 2:.3g}"
    )
