"""Corpus perplexity: all documents together, each token counted once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tokens.perplexity import clusters_of, ids_of, likelihoods, texts_of, weight_of
from pytest_llmval.servers.perplexity_protocol import Windows
from pytest_llmval.statistics.differences.ratio import weighted_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.scoring.tokens.perplexity import ScoresDocuments
    from pytest_llmval.servers.exchange import DocumentLikelihood
    from pytest_llmval.servers.perplexity_protocol import BosPolicy, PerplexityProtocol
    from pytest_llmval.statistics.intervals import Interval

_SHOWN = 3
_FEWEST_FOR_SPREAD = 2
_LARGEST = 700.0  # e⁷¹⁰ does not fit a float


@dataclass(frozen=True, slots=True)
class CorpusPerplexity:
    """How well a model predicts all documents together; as text, a short report."""

    version: str
    loss: float
    """Negative logprob of all tokens divided by their number, in nats."""
    interval: Interval | None
    """90 % interval of the loss over documents like these; None for fewer than two documents."""
    documents: int
    effective_documents: float
    """Documents of one length that would be worth as much: (Σ tokens)² / Σ tokens²."""
    tokens: int
    words: int
    """Parted by white space."""
    bytes: int
    """In UTF-8."""
    mean_of_documents: float
    """Mean of the documents' own perplexities, in which short documents weigh as much as long ones; for comparison
    with tools that report it."""
    worst: tuple[tuple[str, float], ...]
    """Ids of the documents with the highest loss a token, and that loss."""
    protocol: PerplexityProtocol | None

    @property
    def perplexity(self) -> float:
        """The exponential of the loss a token."""
        return _exponential(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """The same surprise over the bytes of the text; compares across tokenizers."""
        return self.loss * self.tokens / self.bytes / math.log(2)

    @property
    def word_perplexity(self) -> float:
        """The exponential of the loss a word; NaN for a text without words."""
        return _exponential(self.loss * self.tokens / self.words) if self.words else math.nan

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def corpus_perplexity(
    llm: ScoresDocuments,
    texts: CaseSet | Sequence[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: BosPolicy = "document",
) -> CorpusPerplexity:
    """Perplexity over all tokens of the documents together, with bits per byte and word perplexity.

    The arguments are those of `perplexity`.

    Raises:
        ValueError: If the texts have no token, the likelihood of one is NaN, or the windows do not fit the model.
    """
    documents = texts_of(texts)
    found = likelihoods(llm, documents, Windows(window, stride, bos))
    tokens = [each.tokens for each in found]
    if not sum(tokens):
        msg = "perplexity needs at least one token of text"
        raise ValueError(msg)
    named = [
        (name, -each.logprob / each.tokens) for name, each in zip(ids_of(texts), found, strict=True) if each.tokens
    ]
    _refuse_nan(named)
    return CorpusPerplexity(
        version=llm.version,
        loss=-math.fsum(each.logprob for each in found) / sum(tokens),
        interval=_interval(found, clusters_of(texts)),
        documents=len(named),
        effective_documents=sum(tokens) ** 2 / sum(count**2 for count in tokens),
        tokens=sum(tokens),
        words=sum(weight_of(*row, "word") for row in zip(documents, found, strict=True)),
        bytes=sum(weight_of(*row, "byte") for row in zip(documents, found, strict=True)),
        mean_of_documents=math.fsum(_exponential(loss) for _, loss in named) / len(named),
        worst=tuple(sorted(named, key=lambda each: each[1], reverse=True)[:_SHOWN]),
        protocol=found[0].protocol,
    )


def _interval(found: Sequence[DocumentLikelihood], clusters: Sequence[str] | None) -> Interval | None:
    scored = [(place, each) for place, each in enumerate(found) if each.tokens]
    losses = [-each.logprob / each.tokens for _, each in scored]
    units = [place if clusters is None else clusters[place] for place, _ in scored]
    if len(set(units)) < _FEWEST_FOR_SPREAD or not all(map(math.isfinite, losses)):
        return None
    return weighted_interval(losses, [each.tokens for _, each in scored], units)


def _refuse_nan(named: Sequence[tuple[str, float]]) -> None:
    broken = [name for name, loss in named if math.isnan(loss)]
    if broken:
        msg = f"the model's log-likelihood of {len(broken)} of {len(named)} texts is NaN, first of {broken[0]!r}"
        raise ValueError(msg)


def _lines(corpus: CorpusPerplexity) -> list[str]:
    """The report, line by line."""
    worst = ", ".join(f"{name} {loss:.4f}" for name, loss in corpus.worst)
    facts = corpus.protocol.facts() if corpus.protocol else ()
    return [
        f"perplexity {corpus.perplexity:.4g}{_spread(corpus.interval)}, {corpus.loss:.4f} nats/token",
        f"{corpus.bits_per_byte:.4f} bits/byte, word perplexity {corpus.word_perplexity:.4g}",
        f"documents: {corpus.documents}, worth {corpus.effective_documents:.1f} of one length; tokens: {corpus.tokens}",
        f"worst documents: {worst} nats/token",
        *([f"protocol: {'; '.join(f'{name} {value}' for name, value in facts)}"] if facts else []),
    ]


def _spread(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" (90% CI over documents [{_exponential(interval.low):.4g}, {_exponential(interval.high):.4g}])"


def _exponential(loss: float) -> float:
    """The exponential, infinite where it would not fit a float."""
    return math.exp(loss) if loss < _LARGEST else math.inf
