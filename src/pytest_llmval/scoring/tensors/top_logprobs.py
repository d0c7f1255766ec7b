"""Top logprobs of an API: what they prove about the divergence, which is a lower bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.logit_rows import LEAST_POSITIONS
from pytest_llmval.scoring.tensors.summaries import Summary, summary_of
from pytest_llmval.scoring.tensors.wording import apart, number

if TYPE_CHECKING:
    from collections.abc import Iterable

TopLogprobs = Mapping[int, float] | Sequence[tuple[int, float]]
"""One position: token ids with their natural logprobs, as a mapping or as `TokenLogprob.top`."""

_LARGE_TAIL = 0.1
_SLACK = 1e-6  # APIs round logprobs: sums may exceed 1 by as much, and a tail may seem empty


@dataclass(frozen=True, slots=True)
class TopLogprobComparison:
    """What the top logprobs of both sides prove about KL(reference ‖ candidate)."""

    positions: int
    kl_lower_bound: Summary
    """Nats at each position: the true divergence is at least this."""
    tail_share: float
    """Mean probability, in [0, 1], of the reference's tokens that one of the sides does not list."""

    @property
    def is_conclusive(self) -> bool:
        """Whether a small bound says anything: the tail holds at most a tenth of the probability."""
        return self.tail_share <= _LARGE_TAIL

    def __str__(self) -> str:
        bound, tail = self.kl_lower_bound, f"{100 * self.tail_share:.3g} % of the probability is in the tail"
        caveat = "" if self.is_conclusive else ", so that a small bound does not show a small divergence"
        return (
            f"KL(reference || candidate) is at least {number(bound.mean)} ± {number(bound.error)} nats/token on "
            f"average ({self.positions} positions, worst {number(bound.maximum)}); {tail}{caveat}"
        )


def kl_lower_bound(candidate: TopLogprobs, reference: TopLogprobs) -> float:
    """A number that KL(reference ‖ candidate) at one position is at least, in nats.

    Tokens that both sides list are compared one by one, all others as one tail. Merging outcomes never increases a
    divergence (data processing), so this never exceeds the true one; without the tail it would be no bound at all.

    Args:
        candidate: Token ids with natural logprobs of the version under test.
        reference: The same of the version it is compared with; the lists may differ in length and tokens.

    Raises:
        TypeError: If keys are no token ids.
        ValueError: If a logprob is above 0 or NaN, or probabilities sum to more than 1.

    >>> round(kl_lower_bound({1: math.log(0.5)}, {1: math.log(0.9)}), 3)
    0.368
    """
    ours, theirs = _checked(candidate, "candidate"), _checked(reference, "reference")
    shared = sorted(ours.keys() & theirs.keys())
    total = sum(_term(theirs[token], ours[token]) for token in shared)
    tail_p, tail_q = (_tail(side, shared) for side in (theirs, ours))
    # A tail that only seems empty would prove an infinite divergence; a little more in it only lowers the bound.
    return max(0.0, total + (tail_p * math.log(tail_p / (tail_q + _SLACK)) if tail_p > 0 else 0.0))


def compare_top_logprobs(candidate: Iterable[TopLogprobs], reference: Iterable[TopLogprobs]) -> TopLogprobComparison:
    """The lower bound of KL(reference ‖ candidate) at every position.

    Args:
        candidate: Top logprobs of each position, both sides having read the same tokens.
        reference: The same, of equal length.

    Raises:
        InvalidComparison: If lengths differ, or there are fewer than 100 positions.
        ValueError: If a position's logprobs cannot be those of a distribution.
    """
    ours, theirs = list(candidate), list(reference)
    if len(ours) != len(theirs):
        msg = f"top logprobs cannot be compared: positions expected {len(theirs)} -> actual {len(ours)}"
        raise InvalidComparison(msg)
    if len(ours) < LEAST_POSITIONS:
        msg = f"top logprobs cannot be compared: {len(ours)} positions, at least {LEAST_POSITIONS} are needed"
        raise InvalidComparison(msg)
    bounds = np.array([kl_lower_bound(*pair) for pair in zip(ours, theirs, strict=True)])
    tails = [_unlisted(*pair) for pair in zip(ours, theirs, strict=True)]
    return TopLogprobComparison(len(ours), summary_of(bounds), float(np.mean(tails)))


def assert_kl_not_above(
    candidate: Iterable[TopLogprobs], reference: Iterable[TopLogprobs], limit: float
) -> TopLogprobComparison:
    """Top logprobs do not prove the mean KL to be above a limit; see `compare_top_logprobs`.

    Passing means *not refuted*: look at `is_conclusive` and `tail_share`, or use `assert_kl_below` where logits are
    at hand.

    Raises:
        ModelRegression: If the bound, and hence the divergence, is above the limit.
        InvalidComparison: If lengths differ, or there are fewer than 100 positions.
    """
    __tracebackhide__ = True
    if not (math.isfinite(limit) and limit > 0):
        msg = f"limit={limit!r}; expected nats a token above 0"
        raise ValueError(msg)
    comparison = compare_top_logprobs(candidate, reference)
    if not comparison.kl_lower_bound.mean <= limit:
        value, allowed = apart(comparison.kl_lower_bound.mean, limit)
        msg = f"mean KL(reference || candidate) is at least {value} nats/token, allowed {allowed}\n  {comparison}"
        raise ModelRegression(msg)
    return comparison


def _checked(position: TopLogprobs, side: str) -> dict[int, float]:
    pairs = position.items() if isinstance(position, Mapping) else position
    logprobs: dict[int, float] = {}
    for token, logprob in pairs:
        _refuse_entry(token, logprob, side)
        logprobs[int(token)] = float(logprob)
    total = math.fsum(map(math.exp, logprobs.values()))
    if total > 1 + _SLACK * max(1, len(logprobs)):
        msg = f"{side}: the probabilities of one position sum to {total:.6g}; expected at most 1"
        raise ValueError(msg)
    return logprobs


def _refuse_entry(token: object, logprob: float, side: str) -> None:
    if isinstance(token, bool) or not isinstance(token, int | np.integer):
        msg = (
            f"{side}: top logprobs by {token!r}; expected token ids: different tokens can have one text, and would "
            f"overwrite each other"
        )
        raise TypeError(msg)
    if not logprob <= _SLACK:
        msg = f"{side}: token {token} has the logprob {logprob!r}; expected a natural logarithm of at most 0"
        raise ValueError(msg)


def _term(log_p: float, log_q: float) -> float:
    p = math.exp(log_p)
    return p * (log_p - log_q) if p > 0 else 0.0


def _tail(side: dict[int, float], shared: list[int]) -> float:
    """Probability of everything but the shared tokens, at least 0."""
    return max(0.0, 1.0 - math.fsum(math.exp(side[token]) for token in shared))


def _unlisted(candidate: TopLogprobs, reference: TopLogprobs) -> float:
    ours, theirs = _checked(candidate, "candidate"), _checked(reference, "reference")
    return _tail(theirs, sorted(ours.keys() & theirs.keys()))
