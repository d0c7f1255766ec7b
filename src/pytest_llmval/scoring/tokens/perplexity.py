"""Perplexity of documents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from pytest_llmval.case_sets.case import Case, CaseSet, content_hash
from pytest_llmval.case_sets.message import as_text
from pytest_llmval.scoring.score import Basis, CaseNote, Scores, Unscored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import DocumentLikelihood


class ScoresDocuments(Protocol):
    """Whoever gives the likelihood of whole texts; `llm` and `baseline_llm` do."""

    @property
    def version(self) -> str:
        """Name of the model version."""

    def document_likelihood(self, texts: Sequence[str]) -> list[DocumentLikelihood]:
        """How probable each whole text is."""


def perplexity(llm: ScoresDocuments, texts: CaseSet | Sequence[str]) -> Scores:
    """Mean negative logprob a token of each document, in nats; lower is better.

    The exponential of it is the document's perplexity. Logarithms are compared because their differences do not
    depend on how hard a text is.

    Args:
        llm: `llm` or `baseline_llm`.
        texts: Documents, or a case set whose prompts they are. Two equal texts are an error.
    """
    documents = [as_text(each.prompt) if isinstance(each, Case) else each for each in texts]
    return Scores(
        "perplexity",
        ids=tuple(each.id if isinstance(each, Case) else content_hash(each)[:12] for each in texts),
        values=tuple(map(_loss, llm.document_likelihood(documents))),
        unit="nats/token",
        higher_is_better=False,
        bounds=None,
        kind="unbounded",
        clusters=_clusters(texts),
        basis=Basis(dataset=_dataset(texts), metric="perplexity"),
        notes=tuple(CaseNote(prompt=document) for document in documents),
        version=llm.version,
    )


def _clusters(texts: CaseSet | Sequence[str]) -> tuple[str, ...] | None:
    cases = [each for each in texts if isinstance(each, Case)]
    return tuple(case.cluster or case.id for case in cases) if any(case.cluster for case in cases) else None


def _dataset(texts: CaseSet | Sequence[str]) -> str:
    return texts.label if isinstance(texts, CaseSet) else f"texts@{content_hash(list(texts))[:8]}"


def _loss(document: DocumentLikelihood) -> float | Unscored:
    if not document.tokens:
        return Unscored("the text has no tokens")
    if math.isnan(document.logprob):
        return Unscored("the model's log-likelihood of the text is NaN", failed=True)
    return -document.logprob / document.tokens
