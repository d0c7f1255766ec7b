"""A tensor against the sketch of another: an estimate of ‖Δ‖ with its bounds, probes, and energies by axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.comparison import TensorComparison
from pytest_llmval.scoring.tensors.formats import Floats, format_of, ulp_distance
from pytest_llmval.scoring.tensors.golden.allowance import Allowance, allowed_length, expected_moments
from pytest_llmval.scoring.tensors.golden.encoding import numbers_of
from pytest_llmval.scoring.tensors.golden.sketch import PROJECTIONS, axis_energies, energy_groups, projections
from pytest_llmval.scoring.tensors.golden.tiers import finite_floats, sketch_facts
from pytest_llmval.scoring.tensors.magnitudes import ratio
from pytest_llmval.scoring.tensors.tolerances import refuse_unreachable
from pytest_llmval.scoring.tensors.wording import apart, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.golden.moments import Moments
    from pytest_llmval.scoring.tensors.golden.stored import StoredTensor
    from pytest_llmval.scoring.tensors.tolerances import Tol

# Quantiles 0.01 and 0.99 of χ² with 64 degrees of freedom. Sums of independent signs vary less than Gaussians of the
# same variance (Achlioptas, J. Comput. Syst. Sci. 66 (2003) 671), so the bounds hold for every Δ.
_CHI2 = (40.649, 93.217)


@dataclass(frozen=True, slots=True)
class Length:
    """An estimate of ‖Δ‖ with one-sided 99 % bounds."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a sketch shows of a difference."""

    length: Length
    allowed: float
    """Largest ‖Δ‖."""
    rel_l2: float
    """The estimate relative to the expected norm."""
    probes: int
    beyond: int
    """Probes beyond the tolerance."""
    loud: str
    """Where the energy changed by more than the tolerance can; empty where it did not."""

    @property
    def is_wrong(self) -> bool:
        """Whether the tolerance is shown not to hold."""
        return self.length.low > self.allowed or self.beyond > 0 or bool(self.loud)

    @property
    def is_shown(self) -> bool:
        """Whether ‖Δ‖ is shown to be small enough."""
        return not self.is_wrong and self.length.high <= self.allowed


def length_of(actual: Floats, expected: Floats) -> Length:
    """‖Δ‖ from two sets of 64 projections: the root of their mean square, whose relative s.d. is 9 % (18 % squared)."""
    squares = float(np.sum((actual - expected) ** 2))
    low, high = (math.sqrt(squares / quantile) for quantile in reversed(_CHI2))
    return Length(math.sqrt(squares / PROJECTIONS), low, high)


def compare_with_sketch(
    path: str, actual: Any, stored: StoredTensor, allowed: Allowance, *, equal_nan: bool
) -> TensorComparison:
    """One tensor against a sketch of what is expected; shape and dtype are known to agree.

    Equal digests decide at once. Otherwise it passes when ‖Δ‖ is at most what the tolerance allows with 99 %
    confidence, every probe keeps the tolerance, and no index of an axis gained or lost more energy than the tolerance
    can give it. What lies between the bounds is undecided.

    Raises:
        ValueError: If no inexact result can meet the tolerance.
    """
    values = values_of(actual, path)
    now = sketch_facts(values, stored.held)
    problem = _strange(now["strangers"], stored.facts["strangers"], equal_nan=equal_nan)
    if problem:
        return _judged(path, values, stored, problem=problem)
    if now["sha256"] == stored.facts["sha256"]:
        return _judged(path, values, stored, problem="equal by SHA-256", passed=True)
    evidence = _evidence(values, stored, allowed)
    return _judged(
        path,
        values,
        stored,
        problem=_problem(evidence, allowed),
        passed=evidence.is_shown and not _is_exact(allowed),
        undecided=not evidence.is_wrong and not _is_exact(allowed),
        value=evidence.length.high,
        limit=evidence.allowed,
        notes=tuple(_notes(evidence, now["moments"], stored)),
    )


def _evidence(values: Values, stored: StoredTensor, allowed: Allowance) -> _Evidence:
    floats, expected = finite_floats(values), expected_moments(stored)
    probes, beyond = _probes(floats, stored, allowed.tol, expected, values.dtype)
    length = length_of(projections(floats), numbers_of(stored.parts["projections"], "float64"))
    return _Evidence(
        length=length,
        allowed=allowed_length(allowed, expected),
        rel_l2=ratio(length.estimate, expected.l2),
        probes=probes,
        beyond=beyond,
        loud=_loudest(floats, stored, allowed, expected),
    )


def _probes(floats: Floats, stored: StoredTensor, tol: Tol | None, moments: Moments, dtype: str) -> tuple[int, int]:
    """How many finite probes there are, and how many of them are beyond a tolerance for single elements."""
    expected = numbers_of(stored.parts["samples"], stored.held).astype(np.float64)
    actual = floats.reshape(-1)[numbers_of(stored.parts["positions"], "int64")]
    finite = np.isfinite(expected)
    actual, expected = actual[finite], expected[finite]
    if tol is None:
        return expected.size, 0
    refuse_unreachable(tol, expected, (dtype, stored.held), rms=moments.rms, path=stored.path)
    if tol.max_ulp is not None:
        return expected.size, int((ulp_distance(actual, expected, format_of(stored.held)) > tol.max_ulp).sum())
    return expected.size, int((np.abs(actual - expected) > tol.allowance(expected, moments.rms)).sum())


def _loudest(floats: Floats, stored: StoredTensor, allowed: Allowance, expected: Moments) -> str:
    """Where the norm along an axis changed most beyond what the allowance can do to it.

    By the triangle inequality ‖y‖ and ‖x‖ of any part differ by at most ‖c + rtol·|x|‖ ≤ c·√m + rtol·‖x‖.
    """
    before, after = numbers_of(stored.parts["energies"], "float64"), axis_energies(floats)
    worst, where = 0.0, ""
    for (axis, indices, size), old, new in zip(energy_groups(floats.shape), before, after, strict=True):
        limit = _part_limit(allowed, stored, expected, size, math.sqrt(old)) + 10 * stored.noise * math.sqrt(old)
        excess = abs(math.sqrt(new) - math.sqrt(old)) - limit
        if excess > worst:
            worst, where = excess, f"{_named(axis, indices)}: {number(math.sqrt(old))} -> {number(math.sqrt(new))}"
    return where


def _part_limit(allowed: Allowance, stored: StoredTensor, expected: Moments, size: int, norm: float) -> float:
    tol = allowed.tol
    if tol is None:
        return allowed.rel_l2 * expected.l2
    if tol.max_ulp is None:
        return (tol.atol + tol.atol_rms * expected.rms) * math.sqrt(size) + tol.rtol * norm
    form = format_of(stored.held)
    least = 1.0 if form.is_integer else 2.0 ** (form.least_exponent - form.mantissa_bits)
    return tol.max_ulp * (least * math.sqrt(size) + (0.0 if form.is_integer else 2 * form.eps * norm))


def _named(axis: int, indices: range) -> str:
    last = f" to {indices[-1]}" if len(indices) > 1 else ""
    return f"index {indices[0]}{last} of axis {axis}"


def _is_exact(allowed: Allowance) -> bool:
    return allowed.tol.is_exact if allowed.tol is not None else not allowed.rel_l2


def _strange(now: dict[str, Any], before: dict[str, Any], *, equal_nan: bool) -> str:
    counts = [", ".join(f"{side[kind]} {name}" for kind, name in _KINDS) for side in (before, now)]
    if now != before:
        return f"elements that are not finite differ: expected {counts[0]} -> actual {counts[1]}, or elsewhere"
    if now["nan"] and not equal_nan:
        return f"{now['nan']} NaN on both sides, and NaN is not equal to NaN; equal_nan=True if that is meant"
    return ""


_KINDS = (("nan", "NaN"), ("+inf", "+Inf"), ("-inf", "-Inf"))


def _problem(evidence: _Evidence, allowed: Allowance) -> str:
    about = f"‖Δ‖ is about {number(evidence.length.estimate)} (rel-L2 {number(evidence.rel_l2)})"
    if _is_exact(allowed):
        return f"not equal by SHA-256, {about}"
    high, limit = apart(evidence.length.high, evidence.allowed)
    parts = [f"{about}, at most {high} with 99 % confidence, allowed {limit} ({allowed})"]
    parts += [f"{evidence.beyond} of {evidence.probes} probes beyond {allowed}"] if evidence.beyond else []
    parts += [f"norm of {evidence.loud}"] if evidence.loud else []
    if not evidence.is_wrong and not evidence.is_shown:
        parts.append("too near to the allowance for a sketch to decide")
    return "; ".join(parts)


def _notes(evidence: _Evidence, now: dict[str, float], stored: StoredTensor) -> Iterator[str]:
    before = stored.facts["moments"]
    count = before["count"] or 1
    yield (
        f"norm {number(before['l2'])} -> {number(now['l2'])}, "
        f"mean {number(before['total'] / count)} -> {number(now['total'] / count)}, "
        f"range [{number(before['least'])}, {number(before['largest'])}] -> "
        f"[{number(now['least'])}, {number(now['largest'])}]"
    )
    yield (
        f"the golden keeps {PROJECTIONS} projections and {evidence.probes} probes: an error in one other element is "
        f"seen from {number(evidence.allowed)} up; tier='full' would show every element"
    )


def _judged(path: str, values: Values, stored: StoredTensor, **found: Any) -> TensorComparison:
    return TensorComparison(
        path=path,
        shape=stored.shape,
        actual_dtype=values.dtype,
        expected_dtype=stored.dtype,
        compared=values.numbers.size,
        **{"passed": False, "value": math.inf, **found},
    )
