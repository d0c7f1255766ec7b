"""Greedy divergence: where the most probable token differs, and whether rounding explains it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.formats import Floats, Format, coarser, format_of, ulp_size
from pytest_llmval.scoring.tensors.labels import Labels, Tokens
from pytest_llmval.scoring.tensors.logit_rows import LogitRows, logit_rows
from pytest_llmval.scoring.tensors.wording import counted, lines_of, number, share

_NOISE_QUANTILE = 0.999


class DivergenceKind(StrEnum):
    """Why two most probable tokens differ."""

    TIE = "tie"
    """The reference's two logits are closer than rounding can tell apart."""
    DRIFT = "drift"
    """They are further apart than that, but within the bound the caller allows."""
    FLIP = "flip"
    """They are further apart: the candidate prefers what the reference does not."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """One position where the most probable token differs."""

    index: tuple[int, ...]
    place: str
    kind: DivergenceKind
    reference_top: int
    candidate_top: int
    gap: float
    """How much higher the reference's logit of its own choice is than that of the candidate's choice, at least 0."""
    gap_ulps: float
    """The gap in spacings of the format at that magnitude."""
    tie_bound: float
    """Largest gap that counts as a tie there."""


@dataclass(frozen=True, slots=True)
class DivergenceReport:
    """All positions where the most probable tokens differ, both sides having read the same tokens."""

    positions: int
    divergences: tuple[Divergence, ...]
    """In the order of the text."""
    tie_ulps: float
    ulp_format: str
    drift_bound: float

    def of(self, kind: DivergenceKind) -> tuple[Divergence, ...]:
        """Those of one kind."""
        return tuple(each for each in self.divergences if each.kind is kind)

    @property
    def ties(self) -> int:
        """Positions that rounding explains."""
        return len(self.of(DivergenceKind.TIE))

    @property
    def drifts(self) -> int:
        """Positions within the allowed drift."""
        return len(self.of(DivergenceKind.DRIFT))

    @property
    def flips(self) -> int:
        """Positions that nothing excuses."""
        return len(self.of(DivergenceKind.FLIP))

    @property
    def first(self) -> Divergence | None:
        """The first one: from here on, generated texts may differ."""
        return self.divergences[0] if self.divergences else None

    @property
    def headline(self) -> str:
        """One line: how many positions differ, by kind."""
        differing = len(self.divergences)
        return (
            f"top token differs at {differing} of {counted(self.positions, 'position')} "
            f"({share(differing, self.positions)}): {self.flips} FLIP, {self.drifts} DRIFT, {self.ties} TIE "
            f"(tie: {self.tie_ulps:g} ULP of {self.ulp_format}; drift: {number(self.drift_bound)})"
        )

    def __str__(self) -> str:
        order = sorted(self.divergences, key=lambda each: (-each.gap, each.index))
        return "\n".join([self.headline, *lines_of([_line(each) for each in order], most=20)])


def classify_divergence(
    candidate: Any,
    reference: Any,
    *,
    tie_ulps: float = 2.0,
    dtype: object = None,
    drift_bound: float = 0.0,
    control: Any = None,
    mask: Any = None,
    tokens: Tokens = (),
) -> DivergenceReport:
    """Every position where the most probable token differs, as TIE, DRIFT or FLIP.

    Both sides must have read the same tokens (teacher forcing), so that every position can be compared, not only
    those before the first difference.

    Args:
        candidate: Logits `[positions, vocabulary]` or `[batch, positions, vocabulary]`.
        reference: The same, of equal shape.
        tie_ulps: A gap up to so many spacings at that magnitude is a tie. Two logits rounded once on each of two
            sides are off by up to half a spacing each: 2.
        dtype: Format in which the logits were computed, if they were widened since; by default the coarser of the
            two sides' dtypes.
        drift_bound: A larger gap up to this, in logits, is a drift.
        control: Logits of a legitimate implementation: its changes of the gap between the reference's first two
            tokens, up to their 99.9 % quantile, widen the tie.
        mask: True where a position counts.
        tokens: Texts of the input tokens.

    Raises:
        InvalidComparison: If shapes differ, or the reference has NaN or +Inf.
        ModelRegression: If the candidate has.
        ValueError: If an argument cannot be meant.
    """
    _refuse_bounds(tie_ulps, drift_bound)
    rows = logit_rows(candidate, reference, mask=mask)
    form = coarser(*rows.dtypes) if dtype is None else format_of(dtype)
    noise = 0.0 if control is None else _control_noise(control, reference, mask)
    labels = Labels(tokens=tokens)
    found: list[Divergence] = []
    for where, ours, theirs in rows.blocks():
        for row in np.flatnonzero(ours.argmax(axis=-1) != theirs.argmax(axis=-1)):
            index = rows.index(where.start + int(row))
            place = labels.position(index)
            found.append(_classified(ours[row], theirs[row], (index, place), form, (tie_ulps, noise, drift_bound)))
    return DivergenceReport(len(rows.positions), tuple(found), tie_ulps, form.name, drift_bound)


def assert_no_flips(
    candidate: Any,
    reference: Any,
    *,
    tie_ulps: float = 2.0,
    dtype: object = None,
    drift_bound: float = 0.0,
    control: Any = None,
    mask: Any = None,
    tokens: Tokens = (),
) -> DivergenceReport:
    """Where the most probable token differs, a tie or an allowed drift explains it; see `classify_divergence`.

    Raises:
        ModelRegression: If a position is a FLIP; the message lists them by the size of the gap.
    """
    __tracebackhide__ = True
    report = classify_divergence(
        candidate,
        reference,
        tie_ulps=tie_ulps,
        dtype=dtype,
        drift_bound=drift_bound,
        control=control,
        mask=mask,
        tokens=tokens,
    )
    if report.flips:
        raise ModelRegression(str(report), report)
    return report


def _classified(
    candidate: Floats,
    reference: Floats,
    at: tuple[tuple[int, ...], str],
    form: Format,
    bounds: tuple[float, float, float],
) -> Divergence:
    """One position; `bounds` are the tie in ULPs, the control's noise and the drift, the latter two in logits."""
    tie_ulps, noise, drift = bounds
    top, other = int(reference.argmax()), int(candidate.argmax())
    gap = float(reference[top] - reference[other])
    largest = np.abs(reference[[top, other]][np.isfinite(reference[[top, other]])]).max()
    spacing = float(ulp_size(np.array([largest]), form)[0])
    tie = max(tie_ulps * spacing, noise)
    kind = DivergenceKind.TIE if gap <= tie else DivergenceKind.DRIFT if gap <= drift else DivergenceKind.FLIP
    return Divergence(at[0], at[1], kind, top, other, gap, gap / spacing, tie)


def _control_noise(control: Any, reference: Any, mask: Any) -> float:
    """How much a legitimate implementation changes the gap between the reference's first two tokens."""
    rows: LogitRows = logit_rows(control, reference, mask=mask)
    changes = [np.abs(_margin(ours, theirs) - _margin(theirs, theirs)) for _, ours, theirs in rows.blocks()]
    return float(np.quantile(np.concatenate(changes), _NOISE_QUANTILE))


def _margin(logits: Floats, reference: Floats) -> Floats:
    first_two = np.argsort(-reference, axis=-1, kind="stable")[:, :2]
    pair = np.take_along_axis(logits, first_two, axis=-1)
    return np.asarray(
        np.where(np.isfinite(pair).all(axis=-1), pair[:, 0], 0.0)
        - np.where(np.isfinite(pair).all(axis=-1), pair[:, -1], 0.0)
    )


def _line(found: Divergence) -> str:
    return (
        f"{found.kind.name} at {found.place}: token {found.reference_top} -> {found.candidate_top}, gap "
        f"{number(found.gap)} in the reference ({found.gap_ulps:.3g} ULP, tie up to {number(found.tie_bound)})"
    )


def _refuse_bounds(tie_ulps: float, drift_bound: float) -> None:
    for name, value in (("tie_ulps", tie_ulps), ("drift_bound", drift_bound)):
        if not (math.isfinite(value) and value >= 0):
            msg = f"{name}={value!r}; expected a finite number of at least 0"
            raise ValueError(msg)
