"""Moments: the sums of a tensor from which the size of a tolerance follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.formats import Floats, Format, ulp_size
from pytest_llmval.scoring.tensors.magnitudes import norm, ratio

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.tolerances import Tol


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the finite elements, in float64."""

    count: int
    total: float
    l1: float
    """Sum of the magnitudes."""
    l2: float
    """Euclidean norm."""
    least: float
    largest: float
    spacing_l2: float
    """Norm of the spacings of the dtype's numbers at each element: what one ULP everywhere amounts to."""

    @property
    def rms(self) -> float:
        """Root mean square."""
        return self.l2 / math.sqrt(self.count) if self.count else 0.0


def moments_of(finite: Floats, form: Format) -> Moments:
    """The moments of finite numbers of a format."""
    if not finite.size:
        return Moments(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    spacing = 1.0 * math.sqrt(finite.size) if form.is_integer else norm(ulp_size(finite, form))
    return Moments(
        count=finite.size,
        total=float(finite.sum()),
        l1=float(np.abs(finite).sum()),
        l2=norm(finite),
        least=float(finite.min()),
        largest=float(finite.max()),
        spacing_l2=spacing,
    )


def allowed_norm(tol: Tol, expected: Moments) -> float:
    """The norm of what a tolerance allows at all elements together: ‖Δ‖ when every element uses all of it.

    Exact, since ‖c + rtol·|x|‖² = n·c² + 2·c·rtol·Σ|x| + rtol²·‖x‖² with c = atol + atol_rms·RMS.
    """
    if tol.max_ulp is not None:
        return tol.max_ulp * expected.spacing_l2
    fixed = tol.atol + tol.atol_rms * expected.rms
    return math.sqrt(
        expected.count * fixed**2 + 2 * fixed * tol.rtol * expected.l1 + (tol.rtol * expected.l2) ** 2,
    )


def allowed_rel_l2(tol: Tol, expected: Moments) -> float:
    """The largest relative L2 error of a tensor all of whose elements keep a tolerance."""
    return ratio(allowed_norm(tol, expected), expected.l2)
