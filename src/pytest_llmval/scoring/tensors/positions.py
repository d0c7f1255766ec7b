"""Numbers of one position: divergences, ranks and likelihoods, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.distributions import (
    entropy,
    js_divergence,
    kl_divergence,
    log_softmax,
    total_variation,
)
from pytest_llmval.scoring.tensors.formats import Floats, Format, coarser, ulp_size

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.logit_rows import Ids, LogitRows


def numbers_of(rows: LogitRows, top_k: int) -> dict[str, Floats]:
    """Every number of each position by its name, `[positions]` each.

    Without token ids those of the observed tokens are there and mean nothing.
    """
    found: dict[str, Floats] = {}
    form = coarser(*rows.dtypes)
    for where, candidate, reference in rows.blocks():
        log_p, log_q = log_softmax(reference), log_softmax(candidate)
        block = _divergences(log_p, log_q) | _rankings(candidate, reference, top_k)
        block["rounding_kl"] = _rounding_kl(reference, log_p, form)
        block |= _observed(log_p, log_q, None if rows.observed is None else rows.observed[where])
        for name, values in block.items():
            found.setdefault(name, np.empty(len(rows.positions)))[where] = values
    return found


def _divergences(log_p: Floats, log_q: Floats) -> dict[str, Floats]:
    return {
        "kl": kl_divergence(log_p, log_q),
        "kl_reverse": kl_divergence(log_q, log_p),
        "js": js_divergence(log_p, log_q),
        "total_variation": total_variation(log_p, log_q),
        "entropy_change": entropy(log_q) - entropy(log_p),
    }


def _rankings(candidate: Floats, reference: Floats, top_k: int) -> dict[str, Floats]:
    top, candidates_top = reference.argmax(axis=-1), candidate.argmax(axis=-1)
    bar = -np.partition(-reference, top_k - 1, axis=-1)[:, top_k - 1]
    chosen = np.argpartition(-candidate, top_k - 1, axis=-1)[:, :top_k]
    shared = np.take_along_axis(reference, chosen, axis=-1) >= bar[:, None]
    return {
        "reference_top": top.astype(np.float64),
        "candidate_top": candidates_top.astype(np.float64),
        "top_rank": _rank(candidate, top),
        "top_k_overlap": shared.mean(axis=-1),
    }


def _rank(logits: Floats, tokens: Ids) -> Floats:
    """How many tokens are more probable than the given one, `[positions]`."""
    ranks: Floats = (logits > _at(logits, tokens)[:, None]).sum(axis=-1).astype(np.float64)
    return ranks


def _at(logits: Floats, tokens: Ids) -> Floats:
    return np.asarray(np.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0])


def _observed(log_p: Floats, log_q: Floats, tokens: Ids | None) -> dict[str, Floats]:
    if tokens is None:
        tokens = np.zeros(len(log_p), dtype=np.int64)  # the columns exist, and are not used
    return {
        "nll_candidate": -_at(log_q, tokens),
        "nll_reference": -_at(log_p, tokens),
        "observed_candidate_rank": _rank(log_q, tokens),
        "observed_reference_rank": _rank(log_p, tokens),
    }


def _rounding_kl(logits: Floats, log_p: Floats, form: Format) -> Floats:
    """Expected KL of rounding each logit once: ½ Σ p (1 − p) · ULP²/12, to second order with uniform errors."""
    p = np.exp(log_p)
    spacing = ulp_size(np.where(np.isfinite(logits), logits, 0.0), form)
    return np.asarray(0.5 * (p * (1 - p) * spacing**2 / 12).sum(axis=-1))
