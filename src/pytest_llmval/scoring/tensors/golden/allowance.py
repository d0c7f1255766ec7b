"""Allowance: what one tensor may differ by from its golden, and whether the golden's own noise leaves room for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.formats import coarser, format_of
from pytest_llmval.scoring.tensors.golden.moments import Moments, allowed_norm, allowed_rel_l2, moments_of
from pytest_llmval.scoring.tensors.tolerances import Tol
from pytest_llmval.scoring.tensors.wording import number, rounded_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden, StoredTensor

NOISE_FACTOR = 10.0
"""Least allowance in units of the noise floor: storage then takes a tenth of it, 0.5 % where errors add in squares."""
# Relative L2 error of a sound change of kernels or hardware over a whole network, as far as any constant is honest:
# benign rewrites measured 2e-6 in float32, 4e-3 in float16 and 3e-2 in bfloat16.
_ACROSS = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2, "complex64": 1e-4}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a test asks of a comparison with a golden.

    Tolerances are for the floating-point tensors: integers and bools beside them must be equal. Where nothing is
    floating-point, they are for the integers.
    """

    tol: Tol | None = None
    """Element by element; by default `Tol.auto` of the dtype, and of the format it is kept in."""
    cross_tol: Tol | None = None
    """The same for a golden of another environment; by default a relative L2 error of the whole tensor."""
    equal_nan: bool = False
    tier: str = "auto"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tensor may differ by: element by element, or by one number for all of it."""

    tol: Tol | None
    rel_l2: float
    """Largest relative L2 error: what the tolerance amounts to when every element uses all of it."""

    def __str__(self) -> str:
        return str(self.tol) if self.tol is not None else f"rel-L2 {number(self.rel_l2)}"


def allowance_of(stored: StoredTensor, asked: Asked, *, model_dtypes: Iterable[str] | None) -> Allowance:
    """What a tensor may differ by.

    Args:
        stored: The tensor's golden.
        asked: The tolerances of the test.
        model_dtypes: Of the model when the golden was written and now, for a golden of another environment; None for
            one of this environment.

    Raises:
        ValueError: If it is below ten times the golden's noise floor.
    """
    expected = expected_moments(stored)
    default = asked.tol or _default(stored)
    if model_dtypes is None:
        allowed = Allowance(default, allowed_rel_l2(default, expected))
    elif asked.cross_tol is not None:
        allowed = Allowance(asked.cross_tol, allowed_rel_l2(asked.cross_tol, expected))
    else:
        usual = _ACROSS.get(_coarsest(stored.dtype or stored.held, model_dtypes), 0.0)
        limit = max(usual, allowed_rel_l2(default, expected), NOISE_FACTOR * stored.noise)
        allowed = Allowance(None, 0.0 if stored.is_integer and default.is_exact else limit)
    _refuse_below_noise(stored, allowed, expected)
    return allowed


def expected_moments(stored: StoredTensor) -> Moments:
    """The moments of a golden's finite numbers."""
    if stored.is_sketch:
        return Moments(**stored.facts["moments"])
    numbers = stored.numbers().astype(np.float64)
    return moments_of(numbers[np.isfinite(numbers)], format_of(stored.held))


def allowed_length(allowed: Allowance, expected: Moments) -> float:
    """Largest ‖Δ‖ of the whole tensor."""
    return allowed_norm(allowed.tol, expected) if allowed.tol is not None else allowed.rel_l2 * expected.l2


def model_dtypes_of(golden: StoredGolden, facts: dict[str, str]) -> tuple[str, ...]:
    """The dtypes of the model when a golden was written and now, where they are known."""
    return tuple(filter(None, (golden.environment.get("model dtype"), facts.get("model dtype"))))


def _default(stored: StoredTensor) -> Tol:
    """For one operation's output; what rounds more than that in storage gets as much more room."""
    auto = Tol.auto(stored.held, *filter(None, [stored.facts.get("format")]))
    if stored.is_sketch or not stored.noise:
        return auto
    return Tol(rtol=auto.rtol, atol_rms=max(auto.atol_rms, float(rounded_up(NOISE_FACTOR * stored.noise))))


def _coarsest(dtype: str, model_dtypes: Iterable[str]) -> str:
    known = [each for each in model_dtypes if each in _ACROSS or each == "float64"]
    return coarser(dtype, *known).name


def _refuse_below_noise(stored: StoredTensor, allowed: Allowance, expected: Moments) -> None:
    by_hash = stored.is_sketch and not allowed.rel_l2  # equality is read off the digest, which has no noise
    if by_hash or not expected.l2 or allowed.rel_l2 >= NOISE_FACTOR * stored.noise:
        return
    source = "sums in float64" if stored.is_sketch else f"rounding to {stored.facts['format']}"
    msg = (
        f"{stored.path or 'the tensor'}: the tolerance ({allowed}) allows a relative L2 error of "
        f"{number(allowed.rel_l2)}, less than {NOISE_FACTOR:g} times the golden's own noise floor "
        f"{number(stored.noise)} ({source}): storage and not the model would decide; use tier 'full', or a tolerance "
        f"of at least {rounded_up(NOISE_FACTOR * stored.noise)} RMS"
    )
    raise ValueError(msg)
