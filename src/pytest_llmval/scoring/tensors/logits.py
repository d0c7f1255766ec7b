"""Logits: how far a candidate's next-token distributions are from the reference's, position by position."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.kld_table import ObservedTokens, kld_table, observed_tokens
from pytest_llmval.scoring.tensors.labels import Labels, Tokens
from pytest_llmval.scoring.tensors.logit_rows import LEAST_POSITIONS, LogitRows, logit_rows
from pytest_llmval.scoring.tensors.positions import numbers_of
from pytest_llmval.scoring.tensors.summaries import FRACTIONS, Summary, summary_of
from pytest_llmval.scoring.tensors.temperature import Drift, drift_of
from pytest_llmval.scoring.tensors.wording import apart, number

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats

Measure = Literal["kl", "kl_reverse", "js"]
_WORST_SHOWN = 5
_TOP_K = 10


@dataclass(frozen=True, slots=True)
class WorstPosition:
    """A position with a large divergence."""

    index: tuple[int, ...]
    place: str
    """The index as it reads in a message, with the token's text where it is known."""
    kl: float
    """KL(reference ‖ candidate) there, in nats."""
    reference_top: int
    """Most probable token of the reference."""
    candidate_top: int


@dataclass(frozen=True, slots=True)
class LogitComparison:
    """Next-token distributions of candidate and reference; divergences in nats a token."""

    positions: int
    documents: int
    """Rows of the batch: positions of one text are not independent, so the standard errors are on the small side."""
    kl: Summary
    """KL(reference ‖ candidate): what is lost by believing the candidate."""
    kl_reverse: Summary
    """KL(candidate ‖ reference)."""
    js: Summary
    """Jensen-Shannon divergence, in [0, ln 2]."""
    total_variation: Summary
    """Half the sum of |p − q|, in [0, 1]."""
    same_top: float
    """Share of positions where the most probable token is the same."""
    top_k: int
    top_k_overlap: Summary
    """Share of the candidate's `top_k` that are among the reference's, ties at its last place included."""
    rank_shift: Summary
    """Place of the reference's most probable token in the candidate, 0 for the first."""
    observed_rank_shift: Summary | None
    """Rank of the token that followed, candidate − reference; None without token ids."""
    entropy_change: Summary
    """Entropy, candidate − reference: above 0 flatter, below 0 over-confident."""
    drift: Drift
    observed: ObservedTokens | None
    """None without token ids."""
    rounding_kl: float
    """Mean KL that rounding the reference's logits to the coarser dtype would cause by itself."""
    worst: tuple[WorstPosition, ...]
    """Positions with the largest KL, worst first."""

    @property
    def table(self) -> str:
        """What llama-perplexity prints for `--kl-divergence`."""
        return kld_table(self.kl, self.observed, self.same_top)

    def __str__(self) -> str:
        return "\n".join([*self.table.splitlines(), "", *_further_lines(self)])


def compare_logits(
    candidate: Any,
    reference: Any,
    *,
    token_ids: Any = None,
    mask: Any = None,
    tokens: Tokens = (),
    top_k: int | None = None,
) -> LogitComparison:
    """Next-token distributions of both sides at every position, in float64 from the logits.

    Args:
        candidate: Logits `[positions, vocabulary]` or `[batch, positions, vocabulary]`, of torch, NumPy or lists.
        reference: The same, of equal shape.
        token_ids: Input token ids, of the shape before the vocabulary. Position t is then scored by the token at
            t + 1, and the last position of each row is left out, as it has none. Without them there is no perplexity.
        mask: True where there is a token, of the same shape.
        tokens: Texts of the input tokens for the list of worst positions.
        top_k: Size of the sets of most probable tokens; by default 10, or the vocabulary when that is smaller.

    Raises:
        InvalidComparison: If fewer than 100 positions count, shapes differ, or the reference has NaN or +Inf.
        ModelRegression: If the candidate has NaN or +Inf.
        ValueError: If an argument cannot be meant.
    """
    rows = logit_rows(candidate, reference, token_ids=token_ids, mask=mask, least=LEAST_POSITIONS)
    top_k = _checked_top_k(top_k, rows.candidate.shape[-1])
    found = numbers_of(rows, top_k)
    observed_shift = found["observed_candidate_rank"] - found["observed_reference_rank"]
    return LogitComparison(
        positions=len(rows.positions),
        documents=rows.documents,
        kl=summary_of(found["kl"]),
        kl_reverse=summary_of(found["kl_reverse"]),
        js=summary_of(found["js"]),
        total_variation=summary_of(found["total_variation"]),
        same_top=float((found["reference_top"] == found["candidate_top"]).mean()),
        top_k=top_k,
        top_k_overlap=summary_of(found["top_k_overlap"]),
        rank_shift=summary_of(found["top_rank"]),
        observed_rank_shift=None if rows.observed is None else summary_of(observed_shift),
        entropy_change=summary_of(found["entropy_change"]),
        drift=drift_of(rows),
        observed=None if rows.observed is None else observed_tokens(found["nll_candidate"], found["nll_reference"]),
        rounding_kl=float(found["rounding_kl"].mean()),
        worst=_worst(rows, found, Labels(tokens=tokens)),
    )


def assert_kl_below(
    candidate: Any,
    reference: Any,
    limit: float,
    *,
    measure: Measure = "kl",
    at: Literal["mean"] | float = "mean",
    token_ids: Any = None,
    mask: Any = None,
    tokens: Tokens = (),
) -> LogitComparison:
    """The divergence of next-token distributions keeps a limit, in nats a token; see `compare_logits`.

    For scale, Llama 3 8B by llama.cpp: 8 bits a weight 1.4e-3, 6 bits 5.5e-3, 4 bits 3e-2 to 7e-2, 2 bits 0.45.

    Args:
        candidate: Logits of the version under test.
        reference: Logits it is compared with.
        limit: Largest value that passes, above 0.
        measure: `kl` is KL(reference ‖ candidate), `kl_reverse` the other direction, `js` the bounded mean of both.
        at: The mean over positions, or one of the quantiles 0.5, 0.75, 0.9, 0.95, 0.99, 0.999 and 1.0.
        token_ids: As for `compare_logits`.
        mask: As for `compare_logits`.
        tokens: As for `compare_logits`.

    Raises:
        ModelRegression: If the limit is exceeded; the message has the whole table and the worst positions.
        InvalidComparison: If fewer than 100 positions count, or the sides cannot be compared.
        ValueError: If the limit is below what rounding the reference's logits causes by itself.
    """
    __tracebackhide__ = True
    _refuse_gate(limit, measure, at)
    comparison = compare_logits(candidate, reference, token_ids=token_ids, mask=mask, tokens=tokens)
    _refuse_below_rounding(comparison, limit, candidate, reference)
    summary: Summary = getattr(comparison, measure)
    value = summary.mean if at == "mean" else summary.quantile(at)
    if not value <= limit:
        msg = f"{_headline(comparison, measure, at, value, limit)}\n{comparison}"
        raise ModelRegression(msg, comparison)
    return comparison


def _worst(rows: LogitRows, found: dict[str, Floats], labels: Labels) -> tuple[WorstPosition, ...]:
    order = [int(row) for row in np.argsort(-found["kl"], kind="stable")[:_WORST_SHOWN] if found["kl"][row] > 0]
    return tuple(
        WorstPosition(
            index=rows.index(row),
            place=labels.position(rows.index(row)),
            kl=float(found["kl"][row]),
            reference_top=int(found["reference_top"][row]),
            candidate_top=int(found["candidate_top"][row]),
        )
        for row in order
    )


def _further_lines(found: LogitComparison) -> list[str]:
    shift, drift, observed = found.rank_shift, found.drift, found.observed_rank_shift
    lines = [
        f"{found.positions} positions in {found.documents} texts; all divergences in nats a token",
        (
            f"KL(Q || base) {number(found.kl_reverse.mean)}, JS {number(found.js.mean)}, "
            f"total variation {number(found.total_variation.mean)}"
        ),
        (
            f"top-{found.top_k} overlap {found.top_k_overlap.mean:.2%}, rank of the base's top token in Q: "
            f"mean {number(shift.mean)}, worst {shift.maximum:.0f}"
        ),
        (
            f"entropy Q - base {found.entropy_change.mean:+.3g}, gain {drift.gain:.4g}, temperature "
            f"{drift.temperature:.4g} (KL {number(drift.kl_at_temperature)} once corrected)"
        ),
        f"rounding the base's logits once would cause KL {number(found.rounding_kl)}",
    ]
    lines += [f"rank of the token that followed, Q - base: mean {observed.mean:+.3g}"] if observed else []
    return lines + [_worst_line(each) for each in found.worst]


def _worst_line(worst: WorstPosition) -> str:
    return f"KL {number(worst.kl)} at {worst.place}: top token {worst.reference_top} -> {worst.candidate_top}"


def _headline(found: LogitComparison, measure: Measure, at: Literal["mean"] | float, value: float, limit: float) -> str:
    names = {"kl": "KL(reference || candidate)", "kl_reverse": "KL(candidate || reference)", "js": "JS divergence"}
    which = f"mean {names[measure]}" if at == "mean" else f"{100 * at:g} % quantile of {names[measure]}"
    shown, allowed = apart(value, limit)
    error = f" ± {number(getattr(found, measure).error)}" if at == "mean" else ""
    return f"{which} {shown}{error} nats/token, allowed {allowed} ({found.positions} positions)"


def _refuse_gate(limit: float, measure: str, at: object) -> None:
    if not (math.isfinite(limit) and limit > 0):
        msg = f"limit={limit!r}; expected nats a token above 0; for equal logits use assert_bitwise_equal"
        raise ValueError(msg)
    if measure not in {"kl", "kl_reverse", "js"}:
        msg = f"measure={measure!r}; expected one of 'kl', 'kl_reverse', 'js'"
        raise ValueError(msg)
    if at != "mean" and at not in FRACTIONS:
        msg = f"at={at!r}; expected 'mean' or one of {', '.join(map(str, FRACTIONS))}"
        raise ValueError(msg)


def _refuse_below_rounding(found: LogitComparison, limit: float, candidate: Any, reference: Any) -> None:
    if limit < found.rounding_kl:
        names = dict.fromkeys(str(getattr(side, "dtype", "list")) for side in (candidate, reference))
        msg = (
            f"limit={limit:g} cannot be met: rounding logits of this size to {', '.join(names)} once causes a KL of "
            f"{number(found.rounding_kl)} by itself; compute logits in float32, or allow more"
        )
        raise ValueError(msg)


def _checked_top_k(top_k: int | None, vocabulary: int) -> int:
    if top_k is None:
        return min(_TOP_K, vocabulary)
    if not 1 <= top_k <= vocabulary:
        msg = f"top_k={top_k!r}; expected an integer from 1 to {vocabulary}, the size of the vocabulary"
        raise ValueError(msg)
    return top_k
