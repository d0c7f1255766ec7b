"""The table that llama-perplexity prints for `--kl-divergence`, from the same definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llmval.scoring.tensors.summaries import Estimate, Summary, standard_error, summary_of

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.formats import Floats

_KLD_FRACTIONS = (0.999, 0.99, 0.95, 0.9, 0.5, 0.1, 0.05, 0.01, 0.001)
_DELTA_FRACTIONS = (0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class ObservedTokens:
    """What both sides give to the tokens that followed.

    Source:
        llama.cpp, `tools/perplexity/perplexity.cpp`, `kl_divergence`; Q is the candidate, base the reference.
    """

    ppl_candidate: Estimate
    """Perplexity, the exponential of the mean negative log-likelihood."""
    ppl_reference: Estimate
    correlation: float
    """Of the two negative log-likelihoods over positions, in [−1, 1]; 0 when one does not vary."""
    log_ratio: Estimate
    """ln(PPL(candidate) / PPL(reference)), in nats."""
    ratio: Estimate
    difference: Estimate
    """PPL(candidate) − PPL(reference)."""
    delta_p: Summary
    """Probability of the token that followed, candidate − reference, in [−1, 1]."""
    rms_delta_p: Estimate


def observed_tokens(nll_candidate: Floats, nll_reference: Floats) -> ObservedTokens:
    """The statistics of the observed tokens' negative log-likelihoods, each `[positions]`, in nats."""
    ours, theirs = _log_ppl(nll_candidate), _log_ppl(nll_reference)
    covariance = _covariance(nll_candidate, nll_reference)
    same = nll_candidate == nll_reference  # also where both are infinite
    ratio = _log_ppl(np.where(same, 0.0, nll_candidate) - np.where(same, 0.0, nll_reference))
    ppl, base = _exponential(ours), _exponential(theirs)
    finite = math.isfinite(ppl.error) and math.isfinite(base.error)
    spread = ppl.error**2 + base.error**2 - 2 * ppl.value * base.value * covariance if finite else math.inf
    change = np.exp(-nll_candidate) - np.exp(-nll_reference)
    return ObservedTokens(
        ppl_candidate=ppl,
        ppl_reference=base,
        correlation=covariance / (ours.error * theirs.error) if covariance else 0.0,
        log_ratio=ratio,
        ratio=_exponential(ratio),
        difference=Estimate(ppl.value - base.value, math.sqrt(max(spread, 0.0))) if math.isfinite(spread) else _UNKNOWN,
        delta_p=summary_of(change),
        rms_delta_p=_root_mean_square(change),
    )


_UNKNOWN = Estimate(math.inf, math.inf)


def _exponential(log: Estimate) -> Estimate:
    """The exponential with its error to first order; infinite beyond the range of a float."""
    if log.value > math.log(np.finfo(np.float64).max):
        return _UNKNOWN
    value = math.exp(log.value)
    return Estimate(value, value * log.error if value else 0.0)


def _log_ppl(nll: Floats) -> Estimate:
    return Estimate(float(nll.mean()), standard_error(nll))


def _covariance(left: Floats, right: Floats) -> float:
    """Covariance of the two means; 0 when one is infinite."""
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return 0.0
    return float(((left * right).mean() - left.mean() * right.mean()) / (len(left) - 1))


def _root_mean_square(change: Floats) -> Estimate:
    value = math.sqrt(float((change**2).mean()))
    return Estimate(value, 0.5 / value * standard_error(change**2) if value else 0.0)


def kld_table(kl: Summary, observed: ObservedTokens | None, same_top: float) -> str:
    """The table, line by line as llama-perplexity prints it; without token ids the lines that need them are left out.

    Args:
        kl: KL(reference ‖ candidate) at each position, in nats.
        observed: Statistics of the tokens that followed.
        same_top: Share of positions with the same most probable token.
    """
    top = Estimate(same_top, math.sqrt(same_top * (1 - same_top) / (kl.count - 1)))
    lines = [*_perplexity_lines(observed), *_kld_lines(kl)]
    lines += ["====== Token probability statistics ======", *_delta_lines(observed)]
    return "\n".join([*lines, f"Same top p: {_percent(top)}"])


def _perplexity_lines(observed: ObservedTokens | None) -> list[str]:
    if observed is None:
        return []
    return [
        "====== Perplexity statistics ======",
        f"Mean PPL(Q)                   : {_six(observed.ppl_candidate)}",
        f"Mean PPL(base)                : {_six(observed.ppl_reference)}",
        f"Cor(ln(PPL(Q)), ln(PPL(base))): {100 * observed.correlation:6.2f}%",
        f"Mean ln(PPL(Q)/PPL(base))     : {_six(observed.log_ratio)}",
        f"Mean PPL(Q)/PPL(base)         : {_six(observed.ratio)}",
        f"Mean PPL(Q)-PPL(base)         : {_six(observed.difference)}",
        "",
    ]


def _kld_lines(kl: Summary) -> list[str]:
    quantiles = [f"{_label(fraction)}  KLD: {kl.quantile(fraction):10.6f}" for fraction in _KLD_FRACTIONS]
    return [
        "====== KL divergence statistics ======",
        f"Mean    KLD: {_six(Estimate(kl.mean, kl.error))}",
        f"Maximum KLD: {kl.maximum:10.6f}",
        *quantiles,
        f"Minimum KLD: {kl.minimum:10.6f}",
        "",
    ]


def _delta_lines(observed: ObservedTokens | None) -> list[str]:
    if observed is None:
        return []
    change = observed.delta_p
    quantiles = [f"{_label(each)}  Δp: {100 * change.quantile(each):6.3f}%" for each in _DELTA_FRACTIONS]
    return [
        f"Mean    Δp: {_percent(Estimate(change.mean, change.error))}",
        f"Maximum Δp: {100 * change.maximum:6.3f}%",
        *quantiles,
        f"Minimum Δp: {100 * change.minimum:6.3f}%",
        f"RMS Δp    : {_percent(observed.rms_delta_p)}",
    ]


def _label(fraction: float) -> str:
    """`Median` and percents in the width of the table."""
    return "Median" if fraction == 0.5 else f"{100 * fraction:4.1f}% "  # noqa: PLR2004 - the middle


def _six(estimate: Estimate) -> str:
    return f"{estimate.value:10.6f} ± {estimate.error:10.6f}"


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:6.3f} ± {100 * estimate.error:5.3f} %"
