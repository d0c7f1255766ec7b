"""Perplexity of documents."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from pytest_llmval.case_sets.case import Case, CaseSet, content_hash
from pytest_llmval.case_sets.message import as_text
from pytest_llmval.scoring.score import Basis, CaseNote, Scores, Unscored
from pytest_llmval.servers.perplexity_protocol import WHOLE, Windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.exchange import DocumentLikelihood
    from pytest_llmval.servers.perplexity_protocol import BosPolicy

Unit = Literal["token", "word", "byte"]
_NAMES = {"token": "perplexity", "word": "word_perplexity", "byte": "bits_per_byte"}


class ScoresDocuments(Protocol):
    """Whoever gives the likelihood of whole texts; `llm` and `baseline_llm` do."""

    @property
    def version(self) -> str:
        """Name of the model version."""

    def document_likelihood(self, texts: Sequence[str], windows: Windows = ...) -> list[DocumentLikelihood]:
        """How probable each whole text is."""


def perplexity(
    llm: ScoresDocuments,
    texts: CaseSet | Sequence[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: BosPolicy = "document",
    unit: Unit = "token",
) -> Scores:
    """Mean negative logprob a token of each document, in nats; lower is better.

    The exponential of it is the document's perplexity. Logarithms are compared because their differences do not
    depend on how hard a text is. The tokens of each document are its weight: `assert_perplexity_not_worse` and
    `corpus_perplexity` count documents by it, `assert_no_regression` counts each once.

    A text longer than the window is read in several. The first scores all its tokens, each later one its last
    `stride` tokens, so that each token is scored once, the later ones after at least `window − stride + 1` tokens.
    How it was read is kept in `basis.protocol`, and scores of different protocols refuse to be compared.

    Args:
        llm: `llm` or `baseline_llm`.
        texts: Documents, or a case set whose prompts they are. Two equal texts are an error.
        window: Most tokens read at once; by default as many as the model has positions.
        stride: Tokens scored by each later window; by default `window`.
        bos: `document` puts BOS before the text only, `window` before each of its windows too.
        unit: What the loss is divided by: `token`; `word`, parted by white space; or `byte`, see `bits_per_byte`.

    Raises:
        ValueError: If the window or stride is impossible for the model, or two texts are equal.
    """
    if unit not in get_args(Unit):
        msg = f"unit={unit!r}; expected 'token', 'word' or 'byte'"
        raise ValueError(msg)
    documents = texts_of(texts)
    found = likelihoods(llm, documents, Windows(window, stride, bos))
    weights = tuple(weight_of(text, likelihood, unit) for text, likelihood in zip(documents, found, strict=True))
    return Scores(
        _NAMES[unit],
        ids=ids_of(texts),
        values=tuple(_loss(*row, unit) for row in zip(found, weights, strict=True)),
        unit="bits/byte" if unit == "byte" else f"nats/{unit}",
        higher_is_better=False,
        bounds=None,
        kind="unbounded",
        clusters=clusters_of(texts),
        basis=Basis(dataset=_dataset(texts), metric=_NAMES[unit], protocol=_facts(found, unit)),
        notes=tuple(CaseNote(prompt=document) for document in documents),
        version=llm.version,
        weights=weights,
    )


def bits_per_byte(
    llm: ScoresDocuments,
    texts: CaseSet | Sequence[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: BosPolicy = "document",
) -> Scores:
    """Negative log₂ probability of each document divided by its bytes in UTF-8; lower is better.

    The one loss that models with different tokenizers share; the arguments are those of `perplexity`.
    """
    return perplexity(llm, texts, window=window, stride=stride, bos=bos, unit="byte")


def texts_of(texts: CaseSet | Sequence[str]) -> list[str]:
    """The documents as texts.

    Raises:
        TypeError: If it is one text, whose letters would be taken for documents.
    """
    if isinstance(texts, str):
        msg = f"texts={texts!r:.60}: got one text; expected a list of texts"
        raise TypeError(msg)
    return [as_text(each.prompt) if isinstance(each, Case) else each for each in texts]


def ids_of(texts: CaseSet | Sequence[str]) -> tuple[str, ...]:
    """The ids of cases, and the short content hashes of plain texts."""
    return tuple(each.id if isinstance(each, Case) else content_hash(each)[:12] for each in texts)


def clusters_of(texts: CaseSet | Sequence[str]) -> tuple[str, ...] | None:
    """The cluster of each case when one of them declares any."""
    cases = [each for each in texts if isinstance(each, Case)]
    return tuple(case.cluster or case.id for case in cases) if any(case.cluster for case in cases) else None


def likelihoods(llm: ScoresDocuments, documents: Sequence[str], windows: Windows) -> list[DocumentLikelihood]:
    """The likelihood of each document; a server that knows no windows is asked as before."""
    return llm.document_likelihood(documents) if windows == WHOLE else llm.document_likelihood(documents, windows)


def weight_of(text: str, likelihood: DocumentLikelihood, unit: Unit) -> int:
    """Tokens, words or bytes of a document."""
    if unit == "token":
        return likelihood.tokens
    return len(text.split()) if unit == "word" else len(text.encode("utf-8", "surrogatepass"))


def _dataset(texts: CaseSet | Sequence[str]) -> str:
    return texts.label if isinstance(texts, CaseSet) else f"texts@{content_hash(list(texts))[:8]}"


def _facts(found: Sequence[DocumentLikelihood], unit: Unit) -> tuple[tuple[str, str], ...]:
    """The protocol; how a tokenizer cuts a text is of no account where bytes or words are counted."""
    protocol = found[0].protocol if found else None
    facts = protocol.facts() if protocol else ()
    return facts if unit == "token" else tuple(fact for fact in facts if fact[0] != "tokenization")


def _loss(document: DocumentLikelihood, weight: int, unit: Unit) -> float | Unscored:
    if not document.tokens or not weight:
        return Unscored("the text has no tokens" if not document.tokens else f"the text has no {unit}s")
    if math.isnan(document.logprob):
        return Unscored("the model's log-likelihood of the text is NaN", failed=True)
    return -document.logprob / weight / (math.log(2) if unit == "byte" else 1.0)
