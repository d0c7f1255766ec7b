"""The table of llama-perplexity, recomputed from its definition."""

from __future__ import annotations

import math
import re

import pytest

from pytest_llmval.scoring.tensors.logits import compare_logits


def llama_table(candidate, reference, observed) -> dict[str, list[float]]:
    """perplexity.cpp, `kl_divergence`, line by line in plain Python: sums first, statistics of sums after."""

    def log_probabilities(row):
        top = max(row)
        norm = math.log(math.fsum(math.exp(each - top) for each in row))
        return [each - top - norm for each in row]

    def mean_and_uncertainty(values):
        n = len(values)
        mean, square = math.fsum(values) / n, math.fsum(each**2 for each in values) / n
        return mean, math.sqrt((square - mean**2) / (n - 1))

    def percentile(values, fraction):
        values = sorted(values)
        place = fraction * (len(values) - 1)
        low = int(place)
        return (1 - (place - low)) * values[low] + (place - low) * values[min(low + 1, len(values) - 1)]

    ours, theirs = ([log_probabilities(row) for row in side] for side in (candidate, reference))
    nll, base = ([-row[token] for row, token in zip(side, observed, strict=True)] for side in (ours, theirs))
    n = len(nll)
    kld = [
        math.fsum(math.exp(p) * (p - q) for p, q in zip(*pair, strict=True)) for pair in zip(theirs, ours, strict=True)
    ]
    change = [math.exp(-ours) - math.exp(-theirs) for ours, theirs in zip(nll, base, strict=True)]
    same = sum(row.index(max(row)) == other.index(max(other)) for row, other in zip(ours, theirs, strict=True)) / n
    log_ppl, log_base = mean_and_uncertainty(nll), mean_and_uncertainty(base)
    covariance = (math.fsum(a * b for a, b in zip(nll, base, strict=True)) / n - log_ppl[0] * log_base[0]) / (n - 1)
    ppl, ppl_base = math.exp(log_ppl[0]), math.exp(log_base[0])
    error, error_base = ppl * log_ppl[1], ppl_base * log_base[1]
    ratio = log_ppl[0] - log_base[0]
    ratio_error = math.sqrt(log_ppl[1] ** 2 + log_base[1] ** 2 - 2 * covariance)
    mse = mean_and_uncertainty([each**2 for each in change])
    rms = math.sqrt(mse[0])
    table = {
        "Mean PPL(Q)": [ppl, error],
        "Mean PPL(base)": [ppl_base, error_base],
        "Cor(ln(PPL(Q)), ln(PPL(base)))": [100 * covariance / (log_ppl[1] * log_base[1])],
        "Mean ln(PPL(Q)/PPL(base))": [ratio, ratio_error],
        "Mean PPL(Q)/PPL(base)": [math.exp(ratio), math.exp(ratio) * ratio_error],
        "Mean PPL(Q)-PPL(base)": [
            ppl - ppl_base,
            math.sqrt(error**2 + error_base**2 - 2 * ppl * ppl_base * covariance),
        ],
        "Mean KLD": list(mean_and_uncertainty(kld)),
        "Maximum KLD": [max(kld)],
        "Median KLD": [percentile(kld, 0.5)],
        "Minimum KLD": [min(kld)],
        "Mean Δp": [100 * each for each in mean_and_uncertainty(change)],
        "Maximum Δp": [100 * max(change)],
        "Median Δp": [100 * percentile(change, 0.5)],
        "Minimum Δp": [100 * min(change)],
        "RMS Δp": [100 * rms, 100 * 0.5 / rms * mse[1]],
        "Same top p": [100 * same, 100 * math.sqrt(same * (1 - same) / (n - 1))],
    }
    for fraction in (99.9, 99.0, 95.0, 90.0, 10.0, 5.0, 1.0, 0.1):
        table[f"{fraction}% KLD"] = [percentile(kld, fraction / 100)]
    for fraction in (99.9, 99.0, 95.0, 90.0, 75.0, 25.0, 10.0, 5.0, 1.0, 0.1):
        table[f"{fraction}% Δp"] = [100 * percentile(change, fraction / 100)]
    return table


def read_table(text: str) -> dict[str, list[float]]:
    """The lines `label: value ± error` of a printed table."""
    lines = [line.rpartition(":") for line in text.splitlines() if ":" in line]
    return {
        " ".join(label.split()): [float(each) for each in re.findall(r"-?\d+\.\d+", numbers)]
        for label, _, numbers in lines
    }


def test_the_table_is_that_of_llama_perplexity(candidate, logits, token_ids):
    """Recomputed from the definitions of perplexity.cpp on the same logits: every line, to the digits it prints."""
    expected = llama_table(candidate[:-1].tolist(), logits[:-1].tolist(), token_ids[1:].tolist())

    found = read_table(compare_logits(candidate, logits, token_ids=token_ids).table)

    assert found.keys() == expected.keys()
    for label, numbers in expected.items():
        digits = 6 if "KLD" in label or "PPL(" in label else 3
        digits = 2 if label.startswith("Cor") else digits
        assert found[label] == pytest.approx(numbers, abs=0.51 * 10**-digits), label


def test_the_table_is_laid_out_as_llama_perplexity_prints_it(candidate, logits, token_ids):
    """Scripts read these lines; layout as in the issues of llama.cpp (for example ik_llama.cpp#817)."""
    lines = compare_logits(candidate, logits, token_ids=token_ids).table.splitlines()

    assert lines[0] == "====== Perplexity statistics ======"
    assert re.fullmatch(r"Mean PPL\(Q\)                   : [ \d]{2}\d\.\d{6} ± [ \d]{2}\d\.\d{6}", lines[1])
    assert re.fullmatch(r"Cor\(ln\(PPL\(Q\)\), ln\(PPL\(base\)\)\): [ \d]{3}\.\d\d%", lines[3])
    assert lines[8] == "====== KL divergence statistics ======"
    assert re.fullmatch(r"Mean    KLD:   \d\.\d{6} ±   \d\.\d{6}", lines[9])
    assert re.fullmatch(r"99\.9%   KLD:   \d\.\d{6}", lines[11])
    assert re.fullmatch(r"Median  KLD:   \d\.\d{6}", lines[15])
    assert re.fullmatch(r" 5\.0%   KLD:   \d\.\d{6}", lines[17])
    assert lines[22] == "====== Token probability statistics ======"
    assert re.fullmatch(r"Mean    Δp: [ -]\d\.\d{3} ± \d\.\d{3} %", lines[23])
    assert re.fullmatch(r"RMS Δp    : [ \d]{2}\.\d{3} ± \d\.\d{3} %", lines[-2])
    assert re.fullmatch(r"Same top p: [ \d]{2}\.\d{3} ± \d\.\d{3} %", lines[-1])
