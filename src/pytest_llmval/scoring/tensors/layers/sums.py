"""Error sums: what candidate and control do wrong at one stage, added up prompt by prompt in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Sides = tuple[Floats, Floats]
"""Of the candidate and of the control."""


@dataclass(slots=True, eq=False)
class ErrorSums:
    """Squared errors against the reference, where both sides were given the reference's own input.

    Nothing of the tensors is kept but sums along their axes, so that a stage costs its channels and tokens.
    """

    spacing: float
    """Relative error that is always allowed: of formats where the control makes none, a few roundings; else 0."""
    update: float = 0.0
    """Σ of squares of what the stage adds: of a layer its output − its input, of others the output."""
    truth: float = 0.0
    """Σ of squares of the reference's output."""
    along: float = 0.0
    """Σ error of the candidate · update."""
    control_along: float = 0.0
    """Σ error of the control · update."""
    elements: int = 0
    identical: bool = True
    """Whether candidate and control agree bit for bit."""
    unknown: int = 0
    """Elements that the reference has NaN: nothing can be right or wrong there."""
    strange: int = 0
    """Elements that are NaN or infinite, where candidate and reference do not have the same infinity."""
    control_strange: int = 0
    """The same of the control."""
    channels: Sides = (np.zeros(0), np.zeros(0))
    """Squared errors of candidate and control along the channels."""
    tokens: dict[int, list[Sides]] = field(default_factory=dict)
    """The same along the tokens of each prompt, piece by piece."""

    def add(self, row: int, truth: Tensor, ours: Tensor, theirs: Tensor, update: Tensor) -> None:
        """A prompt, or its next piece: `[tokens, channels]` of reference, candidate and control, on any device."""
        self.identical = self.identical and ours.dtype == theirs.dtype and bool((ours == theirs.to(ours.device)).all())
        exact, mine, other, added = map(in_float64, (truth, ours, theirs, update))
        self.unknown += _unknown(exact)
        self.strange += _strange(mine, exact)
        self.control_strange += _strange(other, exact)
        error, bar, added, exact = map(_finite, (mine - exact, other - exact, added, exact))
        self.update += _dot(added, added)
        self.truth += _dot(exact, exact)
        self.along += _dot(error, added)
        self.control_along += _dot(bar, added)
        self.elements += exact.numel()
        self._add_squares(row, error.square_(), bar.square_(), self.spacing**2 * exact.square().mean(-1))

    def _add_squares(self, row: int, ours: Tensor, theirs: Tensor, floor: Tensor) -> None:
        """Squared errors, and what is added to each of the control's, a number for each token."""
        along = ours.sum(0).numpy(), (theirs.sum(0) + floor.sum()).numpy()
        self.channels = (
            along if not self.channels[0].size else (self.channels[0] + along[0], self.channels[1] + along[1])
        )
        piece = ours.sum(1).numpy(), (theirs.sum(1) + floor * ours.shape[1]).numpy()
        self.tokens.setdefault(row, []).append(piece)

    @property
    def gain(self) -> float:
        """Σ (error of the candidate − error of the control) · update; 0 where the control's own bias is the larger."""
        return self.along - self.control_along if abs(self.along) > abs(self.control_along) else 0.0

    @property
    def prompts(self) -> list[Sides]:
        """Squared errors along the tokens of each prompt."""
        return [
            (np.concatenate([ours for ours, _ in pieces]), np.concatenate([theirs for _, theirs in pieces]))
            for _, pieces in sorted(self.tokens.items())
        ]

    @property
    def error(self) -> float:
        """Norm of the candidate's error."""
        return math.sqrt(float(self.channels[0].sum()))

    @property
    def control(self) -> float:
        """Norm of the control's error, and of what is always allowed."""
        return math.sqrt(float(self.channels[1].sum()))


@dataclass(slots=True, eq=False)
class SplitSums:
    """The exact split of a layer's error in the free run: local + inherited."""

    free: float = 0.0
    """Σ (b − a)²: candidate and reference each on its own input."""
    local: float = 0.0
    """Σ (B(a) − A(a))²: what the stage adds on the reference's input."""
    inherited: float = 0.0
    """Σ (B(b) − B(a))²: what it makes of the error that came in."""
    product: float = 0.0
    """Σ local · inherited."""
    incoming: float = 0.0
    """Σ (b − a)² of the inputs."""
    outgoing_size: float = 0.0
    incoming_size: float = 0.0
    control_free: float = 0.0
    """Σ (r − a)²: control and reference each on its own input."""

    def add(self, states: States) -> None:
        """One prompt."""
        exact, free, forced, control, before, given = (
            _finite(in_float64(each))
            for each in (
                states.truth, states.free, states.forced, states.control, states.input, states.free_input,
            )
        )  # fmt: skip
        local, inherited = forced - exact, free - forced
        self.free += _distance(free, exact)
        self.local += _dot(local, local)
        self.inherited += _dot(inherited, inherited)
        self.product += _dot(local, inherited)
        self.incoming += _distance(given, before)
        self.incoming_size += _dot(before, before)
        self.outgoing_size += _dot(exact, exact)
        self.control_free += _distance(control, exact)

    @property
    def alignment(self) -> float:
        """Cosine of local and inherited error: below 0 they cancel. 0 where one is missing."""
        size = math.sqrt(self.local * self.inherited)
        return self.product / size if size else 0.0

    @property
    def amplification(self) -> float:
        """By how much the incoming error, relative to the state, grows on its way through; 1 where there is none."""
        if not self.incoming or not self.outgoing_size:
            return 1.0
        return math.sqrt(self.inherited / self.outgoing_size) / math.sqrt(self.incoming / self.incoming_size)


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """Hidden states of one prompt around a layer, `[tokens, channels]`."""

    input: Tensor
    """Of the reference."""
    truth: Tensor
    """The reference's output."""
    free_input: Tensor
    """The candidate's own."""
    free: Tensor
    """The candidate's output on its own input."""
    forced: Tensor
    """The candidate's output on the reference's input."""
    control: Tensor
    """The control's output on its own input."""


@dataclass(slots=True, eq=False)
class KlSums:
    """KL(reference ‖ candidate) and KL(reference ‖ control) of the free runs, in nats, added up over positions."""

    candidate: float = 0.0
    control: float = 0.0
    positions: int = 0

    def add(self, truth: Tensor, free: Tensor, control: Tensor) -> None:
        """Logits `[positions, vocabulary]` in float64."""
        exact = log_softmax(truth.numpy())
        ours = _kl(exact, free)
        self.candidate += ours
        self.control += ours if free.equal(control) else _kl(exact, control)
        self.positions += len(exact)


def in_float64(values: Tensor) -> Tensor:
    """Values as they are summed up."""
    return values.detach().to("cpu").double()


def _kl(exact: Floats, logits: Tensor) -> float:
    return float(kl_divergence(exact, log_softmax(logits.numpy())).sum())


def _distance(ours: Tensor, theirs: Tensor) -> float:
    """Σ (ours − theirs)²."""
    apart = ours - theirs
    return _dot(apart, apart)


def _dot(ours: Tensor, theirs: Tensor) -> float:
    return float(ours.flatten().dot(theirs.flatten()))


def _unknown(exact: Tensor) -> int:
    return 0 if _is_finite(exact) else int(exact.isnan().sum())


def _strange(values: Tensor, exact: Tensor) -> int:
    """Elements that are NaN or infinite on either side, less those where the infinity is one or nothing is known."""
    if _is_finite(values) and _is_finite(exact):
        return 0
    return int((~(values.isfinite() & exact.isfinite()) & (values != exact) & ~exact.isnan()).sum())


def _finite(values: Tensor) -> Tensor:
    return values if _is_finite(values) else values.nan_to_num(0.0, 0.0, 0.0)


def _is_finite(values: Tensor) -> bool:
    """Whether the sum is, and with it every element: found several times faster than by looking at each."""
    return bool(values.sum().isfinite())
