"""BLEU and chrF as sacrebleu has them: its metrics, their signatures, and what they keep in memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from pytest_llmval.errors import nearest
from pytest_llmval.scoring.text.extra import needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Tokenize = Literal["13a", "intl", "char", "zh", "none"]
VARIABLE = -1
"""What sacrebleu writes as `nrefs:var`: cases with different numbers of references."""


def bleu_metric(name: str, tokenize: Tokenize, *, effective_order: bool) -> Any:
    """The metric BLEU of sacrebleu; `name` is the metric of ours that needs it.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If the tokenizer is unknown.
    """
    if tokenize not in get_args(Tokenize):
        msg = f"tokenize={tokenize!r}; {nearest(str(tokenize), get_args(Tokenize))}"
        raise ValueError(msg)
    with needed("sacrebleu", name):
        from sacrebleu.metrics.bleu import BLEU
    return BLEU(tokenize=tokenize, effective_order=effective_order)


def chrf_metric(name: str, word_order: int) -> Any:
    """The metric chrF of sacrebleu; `name` is the metric of ours that needs it.

    Raises:
        SettingsError: If sacrebleu is not installed.
        ValueError: If the order is no whole number from 0.
    """
    if type(word_order) is not int or word_order < 0:
        msg = f"word_order={word_order!r}; expected 0 for chrF, 2 for chrF++"
        raise ValueError(msg)
    with needed("sacrebleu", name):
        from sacrebleu.metrics.chrf import CHRF
    return CHRF(word_order=word_order)


def chrf_name(word_order: int) -> str:
    """`chrf`, with a plus for each order of words: `chrf++`."""
    given: object = word_order  # callers may not check types; `chrf_metric` refuses what is no order
    return "chrf" + "+" * word_order if isinstance(given, int) else "chrf"


def signature(metric: Any, references: Iterable[int]) -> str:
    """The signature of sacrebleu, given how many references each case has; cases without any do not count."""
    counts = set(references) - {0}
    metric.num_refs = counts.pop() if len(counts) == 1 else VARIABLE
    return f"sacrebleu {metric.get_signature()}"


@contextmanager
def forgetting(metric: Any) -> Iterator[None]:
    """Frees, at the end, the texts that sacrebleu's tokenizers keep: 65,536 of them, whatever their length."""
    try:
        yield
    finally:
        tokenizer = getattr(metric, "tokenizer", None)
        for part in [tokenizer, *vars(tokenizer).values()] if tokenizer else []:
            for member in vars(type(part)).values():
                if hasattr(member, "cache_clear"):
                    member.cache_clear()
