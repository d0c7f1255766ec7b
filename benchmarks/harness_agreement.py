"""Whether two ways found the same: accuracies, log-likelihoods, texts, bits a byte."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness_ways import Outcome


def agreement(outcome: Outcome, harness: Outcome, documents: Sequence[dict[str, Any]]) -> str:
    """What a way found, and how far it is from what the harness found, in a few words.

    Raises:
        ValueError: If it did not answer the same documents.
    """
    expected = {document["id"] for document in documents}
    if outcome.found.keys() != expected:
        msg = f"{len(outcome.found)} documents were answered; expected the {len(expected)} asked"
        raise ValueError(msg)
    if isinstance(next(iter(outcome.found.values())), str):
        return _texts(outcome, harness)
    return _choices(outcome, harness, documents) if "choices" in documents[0] else _bits(outcome, harness, documents)


def _texts(outcome: Outcome, harness: Outcome) -> str:
    same = sum(outcome.found[name] == text for name, text in harness.found.items())
    return f"{same} of {len(harness.found)} texts equal"


def _choices(outcome: Outcome, harness: Outcome, documents: Sequence[dict[str, Any]]) -> str:
    plain = accuracy(outcome, documents, lambda _: 1)
    # As the harness counts: characters of the option without the blank in front.
    normed = accuracy(outcome, documents, lambda option: len(option.removeprefix(" ")))
    reported = harness.metrics
    shown = f"accuracy {plain:.4f} ({reported['acc']:.4f}), normalised {normed:.4f} ({reported['acc_norm']:.4f})"
    return f"{shown}, log-likelihoods within {largest_difference(outcome, harness):.0e}"


def _bits(outcome: Outcome, harness: Outcome, documents: Sequence[dict[str, Any]]) -> str:
    size = sum(len(document["prompt"].encode()) for document in documents)
    bits = -sum(found[0] for found in outcome.found.values()) / size / math.log(2)
    reported = harness.metrics["bits_per_byte"]
    worst = max(abs(found[0] / harness.found[name][0] - 1) for name, found in outcome.found.items())
    return f"{bits:.6f} bits a byte ({reported:.6f}), log-likelihoods within {worst:.0e} of themselves"


def accuracy(outcome: Outcome, documents: Sequence[dict[str, Any]], length: Callable[[str], int]) -> float:
    """Share of documents whose right option has the highest log-likelihood over its length; the first one on a tie."""
    right = 0
    for document in documents:
        pairs = zip(outcome.found[document["id"]], document["choices"], strict=True)
        scores = [logprob / length(option) for logprob, option in pairs]
        right += scores.index(max(scores)) == document["answer"]
    return right / len(documents)


def largest_difference(outcome: Outcome, harness: Outcome) -> float:
    """Of all log-likelihoods, in nats."""
    pairs = ((found, harness.found[name]) for name, found in outcome.found.items())
    return max(abs(one - other) for found, theirs in pairs for one, other in zip(found, theirs, strict=True))
