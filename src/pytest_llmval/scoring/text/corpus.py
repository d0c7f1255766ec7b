"""BLEU and chrF of all answers together, as papers report them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.text.answers import each_ask
from pytest_llmval.scoring.text.references import reference_texts
from pytest_llmval.scoring.text.sacrebleu_metrics import (
    Tokenize,
    bleu_metric,
    chrf_metric,
    chrf_name,
    forgetting,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.servers.exchange import Response

BLOCK = 1000
"""Answers whose n-grams are in memory together: 33 MB for chrF, at 20 words each."""


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """One number for all answers of one model version. It has no interval: a gate takes `bleu` or `chrf`."""

    name: str
    score: float
    """In [0, 100], as sacrebleu gives it."""
    signature: str
    """How it was counted: the signature of sacrebleu, its version included."""
    cases: int
    """Cases with a reference and an answer."""
    answers: int
    """Answers to them: every trial is one."""
    failed: int = 0
    """Asks that gave no answer, which are left out."""
    unscored: int = 0
    """Answers to cases without a reference, which are left out."""
    version: str = ""
    """Model version that gave the answers."""

    def __str__(self) -> str:
        left_out = [f"{count} {what}" for count, what in ((self.failed, "failed"), (self.unscored, "without")) if count]
        tail = f" (left out: {', '.join(left_out)})".replace("without", "without a reference") if left_out else ""
        return f"{self.name} {self.score:.2f} over {self.answers} answers to {self.cases} cases{tail}; {self.signature}"


def corpus_bleu(responses: Iterable[Response], *, tokenize: Tokenize = "13a") -> CorpusScore:
    """The BLEU of all answers together, in [0, 100].

    Args:
        responses: The answers.
        tokenize: As of `bleu`.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If no answered case has a reference, or the tokenizer is unknown.
    """
    return _corpus_score("bleu", bleu_metric("corpus_bleu", tokenize, effective_order=False), responses)


def corpus_chrf(responses: Iterable[Response], *, word_order: int = 0) -> CorpusScore:
    """The chrF of all answers together, in [0, 100].

    Args:
        responses: The answers.
        word_order: As of `chrf`.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If no answered case has a reference, or the order is no whole number from 0.
    """
    return _corpus_score(chrf_name(word_order), chrf_metric("corpus_chrf", word_order), responses)


def _corpus_score(name: str, metric: Any, responses: Iterable[Response]) -> CorpusScore:
    asks = list(each_ask(responses))
    answered = [(case, reference_texts(case), response.text) for case, response in asks if response.error is None]
    scored = [row for row in answered if row[1]]
    if not scored:
        msg = f"corpus_{name}: no answered case has a reference"
        raise ValueError(msg)
    cases, references, answers = zip(*scored, strict=True)
    with forgetting(metric):
        score = _score(metric, answers, references)
    return CorpusScore(
        name=name,
        score=score,
        signature=signature(metric, map(len, references)),
        cases=len({case.id for case in cases}),
        answers=len(answers),
        failed=len(asks) - len(answered),
        unscored=len(answered) - len(scored),
        version=getattr(responses, "version", ""),
    )


def _score(metric: Any, answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """What `metric.corpus_score` gives, block by block: by itself it holds the n-grams of all references at once."""
    sums = []
    for start in range(0, len(answers), BLOCK):
        block = slice(start, start + BLOCK)
        columns = list(zip_longest(*references[block]))
        counts = metric._extract_corpus_statistics(answers[block], columns)  # noqa: SLF001 - as its significance tests
        sums.append([sum(column) for column in zip(*counts, strict=True)])
    return float(metric._aggregate_and_compute(sums).score)  # noqa: SLF001
